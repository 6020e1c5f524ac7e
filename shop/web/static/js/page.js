// The script of every page. Modules import each other by plain name, so each is loaded once.

import "./header.js";
import "./forms.js";
import { whenRestored } from "./restored.js";

// Only the edge of the lab profile names the request in Server-Timing.
if (performance.getEntriesByType("navigation")[0]?.serverTiming?.some(({ name }) => name === "req")) import("./lab-strip.js");

const PRICED = ".product-card__foot, .product__price"; // prices, and the "Sold out" badge in lists; they contain no link, so no focus is lost

const offers = (page) =>
  [...page.querySelectorAll(PRICED)].map((offer) => {
    const link = offer.closest(".product-card")?.querySelector(".product-card__link");
    return [link?.getAttribute("href"), offer];
  });

/** Put current prices and "Sold out" badges into a page that may come from a cache. */
async function refreshOffers() {
  const answer = await fetch(location.href, { cache: "no-cache" }).catch(() => null);
  if (!answer?.ok) return;
  const today = new Map(offers(new DOMParser().parseFromString(await answer.text(), "text/html")));
  offers(document).forEach(([product, offer]) => today.has(product) && offer.replaceWith(today.get(product).cloneNode(true)));
}

// A restored private page may be old, or another shopper's, so it is loaded again.
if ("private" in document.body.dataset) {
  const main = document.getElementById("main");
  whenRestored(
    () => (main.style.visibility = "hidden"),
    () => location.reload(),
  );
} else if (document.querySelector(PRICED)) {
  whenRestored(() => {}, refreshOffers);
}
