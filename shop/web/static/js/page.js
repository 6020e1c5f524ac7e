// What every page runs. Modules import each other by plain name, so each is loaded once.

import "./header.js";
import "./forms.js";
import { whenRestored } from "./restored.js";

const PRICED = ".product-card__foot, .product__price"; // a price, and in lists that it is sold out; no link, so no focus

const offers = (page) =>
  [...page.querySelectorAll(PRICED)].map((offer) => {
    const link = offer.closest(".product-card")?.querySelector(".product-card__link");
    return [link?.getAttribute("href"), offer];
  });

/** Put the prices of today, and what has sold out, into a page that is the same for everybody. */
async function refreshOffers() {
  const answer = await fetch(location.href, { cache: "no-cache" }).catch(() => null);
  if (!answer?.ok) return;
  const today = new Map(offers(new DOMParser().parseFromString(await answer.text(), "text/html")));
  offers(document).forEach(([product, offer]) => today.has(product) && offer.replaceWith(today.get(product).cloneNode(true)));
}

// All of a page that is not the same for everybody may be old, or another shopper's.
if ("private" in document.body.dataset) {
  const main = document.getElementById("main");
  whenRestored(
    () => (main.style.visibility = "hidden"),
    () => location.reload(),
  );
} else if (document.querySelector(PRICED)) {
  whenRestored(() => {}, refreshOffers);
}
