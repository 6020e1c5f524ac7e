// The page may be minutes old; how many pieces are left may not be.

import { whenRestored } from "./restored.js";

const FEW = 10;
const NOTHING_SAID = "\u00a0"; // keeps its line

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
  const answer = await fetch(`/api/v1/products/${element.dataset.stock}/stock`).catch(() => null);
  if (answer?.ok) show(element, (await answer.json()).available);
}

function watch(element) {
  whenRestored(
    () => (element.textContent = NOTHING_SAID),
    () => refresh(element),
  );
  refresh(element);
}

document.querySelectorAll("[data-stock]").forEach(watch);
