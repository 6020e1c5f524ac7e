// The product page without its composite call: one request a part, each shown as it comes.
// Everything that arrives is put in as text; the shapes are the page's own templates.

const money = new Intl.NumberFormat("en", { style: "currency", currency: "EUR" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });

function shape(name) {
  return document.getElementById(`part-${name}`).content.cloneNode(true);
}

function put(node, selector, text) {
  node.querySelector(selector).textContent = text;
}

function putStars(node, rating, count) {
  const stars = node.querySelector(".stars");
  stars.setAttribute("aria-label", `Rated ${rating.toFixed(1)} out of 5`);
  stars.querySelector("svg").setAttribute("width", (rating * 20).toFixed(1));
  const counted = node.querySelector(".rating__count");
  if (counted) counted.textContent = count.toLocaleString("en");
}

function card(product) {
  const node = shape("card");
  node.querySelector("img").src = product.picture;
  put(node, ".product-card__brand", product.brand);
  const link = node.querySelector(".product-card__link");
  link.href = product.url;
  link.textContent = product.title;
  if (product.rating_count) putStars(node, product.rating, product.rating_count);
  else node.querySelector(".rating").replaceChildren("No reviews yet");
  const price = node.querySelector(".price");
  price.value = product.price.amount;
  price.textContent = money.format(product.price.amount / 100);
  if (!product.in_stock) {
    const badge = Object.assign(document.createElement("span"), { className: "badge badge--quiet", textContent: "Sold out" });
    node.querySelector(".product-card__foot").append(" ", badge);
  }
  return node;
}

function review({ author, rating, body, created_at }) {
  const node = shape("review");
  putStars(node, rating);
  put(node, ".review__author", author);
  put(node, ".review__body", body);
  const time = node.querySelector("time");
  time.dateTime = created_at;
  time.textContent = day.format(new Date(created_at));
  return node;
}

function bar({ stars, count }, total) {
  const node = shape("bar");
  put(node, ".bar__label", stars === 1 ? "1 star" : `${stars} stars`);
  put(node, ".bar__value", count.toLocaleString("en"));
  node.querySelector(".bar__part").setAttribute("width", (total ? (100 * count) / total : 0).toFixed(2));
  return node;
}

const parts = {
  rating(element, { average, count, histogram }) {
    if (!count) return element.replaceChildren("No reviews yet.");
    const node = shape("rating");
    put(node, ".reviews__average", average.toFixed(1));
    putStars(node, average, count);
    node.querySelector(".histogram").append(...histogram.map((row) => bar(row, count)));
    element.replaceChildren(node);
  },
  reviews(element, { items }) {
    element.replaceChildren(...items.map(review));
  },
  related(element, { items }) {
    element.replaceChildren(...items.map(card));
    element.closest("section").hidden = items.length === 0;
  },
};

async function fill(element) {
  element.setAttribute("aria-busy", "true");
  const answer = await fetch(element.dataset.from).catch(() => null);
  if (answer?.ok) parts[element.dataset.part](element, await answer.json());
  element.removeAttribute("aria-busy");
}

document.querySelectorAll("[data-part]").forEach(fill);
