// Loads the current stock, because the page itself may be minutes old.

import { whenRestored } from "./restored.js";

const FEW = 10;
const EMPTY_LINE = "\u00a0"; // keeps the line's height

function inWords(available) {
  if (available === 0) return "Sold out";
  return available <= FEW ? `Only ${available} left` : "In stock";
}

function show(element, available) {
  element.textContent = inWords(available);
  element.dataset.level = available === 0 ? "none" : available <= FEW ? "few" : "many";
  document.querySelectorAll("form[data-add-to-cart] [type=submit]").forEach((button) => {
    button.disabled = available === 0;
  });
  document.querySelectorAll("form[data-add-to-cart] input[name=quantity]").forEach((input) => {
    input.max = Math.max(1, Math.min(available, Number(input.max) || available));
  });
}

async function refresh(element) {
  const response = await fetch(`/api/v1/products/${element.dataset.stock}/stock`).catch(() => null);
  if (response?.ok) show(element, (await response.json()).available);
}

function watch(element) {
  whenRestored(
    () => (element.textContent = EMPTY_LINE),
    () => refresh(element),
  );
  refresh(element);
}

document.querySelectorAll("[data-stock]").forEach(watch);
