// Saves a changed quantity in the cart at once. Without this script, the line's Update button does the same.

import { showCart } from "./header.js";

const LOCALE = "en-IE"; // formats euros like the server: €1,234.50
let saving = Promise.resolve();

function inMoney({ amount, currency }) {
  return new Intl.NumberFormat(LOCALE, { style: "currency", currency }).format(amount / 100);
}

function showPrice(place, money) {
  const price = place.querySelector(".price");
  price.value = money.amount;
  price.textContent = inMoney(money);
}

function show(cart, line) {
  const item = cart.items.find(({ product }) => product === line.dataset.cartLine);
  if (!item || item.notes.length || line.querySelector("[data-line-note], .field__error")) {
    location.reload(); // the page has more to show than new numbers
    return;
  }
  showPrice(line.querySelector("[data-line-total]"), item.line_total);
  showPrice(document.querySelector("[data-cart-total]"), cart.total);
  document.querySelector("[data-cart-items]").textContent = cart.count === 1 ? "1 item" : `${cart.count} items`;
  showCart(cart, { announce: true });
}

async function save(line, form, quantity) {
  const answer = await fetch(`/api/v1/cart/items/${line.dataset.cartLine}`, {
    method: "PATCH",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ quantity }),
  }).catch(() => null);
  if (answer?.ok) show(await answer.json(), line);
  else form.requestSubmit(); // the page in the response shows the error
}

function watch(line) {
  const form = line.querySelector("form");
  form.addEventListener("change", ({ target }) => {
    if (target.name !== "quantity" || !form.reportValidity()) return;
    saving = saving.then(() => save(line, form, target.valueAsNumber));
  });
}

/** Save a changed quantity before the checkout begins. */
function waitForSaving(link) {
  link.addEventListener("click", async (event) => {
    event.preventDefault();
    await saving;
    location.assign(link.href);
  });
}

document.querySelectorAll("[data-cart-line]").forEach(watch);
document.querySelectorAll("a[data-after-saving]").forEach(waitForSaving);
