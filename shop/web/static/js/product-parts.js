// The product page without the composite call: one request per part, rendered from the page's own <template>s, so there
// is one set of markup. A part whose request fails is left out; the rest of the page is shown.

const LOCALE = "en-IE"; // formats numbers and euros like the server

const euros = ({ amount, currency }) =>
  new Intl.NumberFormat(LOCALE, { style: "currency", currency }).format(amount / 100);

const day = (moment) =>
  new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" }).format(
    new Date(moment),
  );

function copy(name) {
  return document.getElementById(`part-${name}`).content.cloneNode(true);
}

function setText(place, selector, text) {
  place.querySelector(selector).textContent = text;
}

function setStars(place, rating, count) {
  const stars = place.querySelector(".stars");
  stars.setAttribute("aria-label", `Rated ${rating.toFixed(1)} out of 5`);
  stars.querySelector("svg").setAttribute("width", (rating * 20).toFixed(1));
  if (count === undefined) return;
  const [, number, words] = place.querySelector(".rating__count").childNodes; // "from ", 1, " review"
  number.nodeValue = count.toLocaleString(LOCALE);
  words.textContent = count === 1 ? " review" : " reviews";
}

function bar({ stars, count }, total) {
  const made = copy("bar");
  setText(made, ".bar__label", stars === 1 ? "1 star" : `${stars} stars`);
  setText(made, ".bar__value", count.toLocaleString(LOCALE));
  made.querySelector(".bar__part").setAttribute("width", total ? (100 * count) / total : 0);
  return made;
}

function rating(place, answer) {
  const made = copy("rating");
  setText(made, ".reviews__average", answer.average.toFixed(1));
  setStars(made, answer.average, answer.count);
  made.querySelector(".histogram").append(...answer.histogram.map((row) => bar(row, answer.count)));
  place.append(made);
}

function review(answer) {
  const made = copy("review");
  setStars(made, answer.rating);
  setText(made, ".review__author", answer.author);
  setText(made, ".review__body", answer.body);
  const time = made.querySelector("time");
  time.dateTime = answer.created_at;
  time.textContent = day(answer.created_at);
  return made;
}

function card(answer) {
  const made = copy("card");
  const link = made.querySelector(".product-card__link");
  link.href = answer.url;
  link.textContent = answer.title;
  made.querySelector("img").src = answer.picture;
  setText(made, ".product-card__brand", answer.brand);
  setText(made, ".price", euros(answer.price));
  made.querySelector(".price").value = answer.price.amount;
  if (answer.rating_count) setStars(made, answer.rating, answer.rating_count);
  else setText(made, ".rating", "No reviews yet");
  if (answer.in_stock) made.querySelector(".badge").remove();
  return made;
}

function related(place, { items }) {
  place.append(...items.map(card));
  place.closest("section").hidden = items.length === 0;
}

const FILL = { rating, reviews: (place, { items }) => place.append(...items.map(review)), related };

async function load(place) {
  place.setAttribute("aria-busy", "true");
  const answer = await fetch(place.dataset.from, { headers: { Accept: "application/json" } }).catch(() => null);
  if (answer?.ok) FILL[place.dataset.part](place, await answer.json());
  place.removeAttribute("aria-busy");
}

document.querySelectorAll("[data-part]").forEach(load);
