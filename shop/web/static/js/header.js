// Public pages are the same for every visitor; one private call loads the account's name and the cart's count.

import { whenRestored } from "./restored.js";

const countBadge = document.querySelector("[data-cart-count]");
const countWords = document.querySelector("[data-cart-words]");
const status = document.querySelector("[data-cart-status]");
const accountName = document.querySelector("[data-account-name]");

const neutralName = accountName.textContent;
let latestRequest = 0;

const inWords = (count) => (count === 1 ? "1 item" : `${count} items`);

/** Show the number of items in the cart; a screen reader announces it only if `announce` is set. */
export function showCart({ count }, { announce = false } = {}) {
  countBadge.textContent = count > 99 ? "99+" : count || "";
  countWords.textContent = `, ${inWords(count)}`;
  if (announce) status.textContent = `${inWords(count)} in your cart`;
}

/** Load the account's name and the cart's count again. After a failure the header stays neutral. */
export async function refresh({ announce = false } = {}) {
  const thisRequest = ++latestRequest;
  const response = await fetch("/api/v1/me", { headers: { Accept: "application/json" } }).catch(() => null);
  if (!response?.ok) return;
  const me = await response.json();
  if (thisRequest !== latestRequest) return; // a newer request has started, or the page was left
  showCart(me.cart, { announce });
  if (!me.user) return;
  accountName.textContent = me.user.name.split(" ")[0];
  accountName.title = me.user.name;
}

/** Restore the neutral header, as the server sent it. */
function reset() {
  latestRequest += 1;
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
