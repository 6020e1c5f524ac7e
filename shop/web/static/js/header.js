// Pages are the same for everybody; who is looking, and what lies in their cart, comes from one private call.

import { whenRestored } from "./restored.js";

const countBadge = document.querySelector("[data-cart-count]");
const countWords = document.querySelector("[data-cart-words]");
const status = document.querySelector("[data-cart-status]");
const accountName = document.querySelector("[data-account-name]");

const neutralName = accountName.textContent;
let asked = 0;

const inWords = (count) => (count === 1 ? "1 item" : `${count} items`);

/** Show the cart's number of pieces; say it aloud only when it has just changed. */
export function showCart({ count }, { announce = false } = {}) {
  countBadge.textContent = count > 99 ? "99+" : count || "";
  countWords.textContent = `, ${inWords(count)}`;
  if (announce) status.textContent = `${inWords(count)} in your cart`;
}

/** Ask again who is looking and what the cart holds. A failure leaves the neutral header as it is. */
export async function refresh({ announce = false } = {}) {
  const turn = ++asked;
  const answer = await fetch("/api/v1/me", { headers: { Accept: "application/json" } }).catch(() => null);
  if (!answer?.ok) return;
  const me = await answer.json();
  if (turn !== asked) return; // asked again meanwhile, or the page was left
  showCart(me.cart, { announce });
  if (!me.user) return;
  accountName.textContent = me.user.name.split(" ")[0];
  accountName.title = me.user.name;
}

/** Say nothing of anybody, as the page did when it came. */
function reset() {
  asked += 1;
  countBadge.textContent = countWords.textContent = status.textContent = "";
  accountName.textContent = neutralName;
  accountName.removeAttribute("title");
}

function closeOnLeave(menu) {
  document.addEventListener("click", (event) => {
    if (menu.open && !menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}

document.querySelectorAll("[data-menu]").forEach(closeOnLeave);
whenRestored(reset, refresh);
refresh();
