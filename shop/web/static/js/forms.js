// Improves plain forms: steppers, adding to the cart without leaving the page, filters that apply at once, and focus on
// the error summary. Each form also works without this script.

import { refresh } from "./header.js";
import { toast } from "./toast.js";

function stepper(box) {
  const input = box.querySelector("input");
  const button = (sign, words, step) => {
    const stepButton = document.createElement("button");
    stepButton.type = "button";
    stepButton.className = "quantity__step";
    stepButton.textContent = sign;
    stepButton.setAttribute("aria-label", words);
    stepButton.addEventListener("click", () => {
      step();
      input.dispatchEvent(new Event("change", { bubbles: true }));
    });
    return stepButton;
  };
  const row = document.createElement("div");
  row.className = "quantity__row";
  input.replaceWith(row);
  row.append(
    button("\u2212", "One fewer", () => input.stepDown()),
    input,
    button("+", "One more", () => input.stepUp()),
  );
}

async function addToCart(form) {
  const data = new FormData(form);
  const answer = await fetch("/api/v1/cart/items", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ product: data.get("product"), quantity: Number(data.get("quantity") || 1) }),
  });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    toast(problem.detail || "That did not work. Please try again.", { kind: "danger" });
    return;
  }
  const { note } = await answer.json();
  toast(note ?? "Added to your cart", { href: "/cart", action: "View cart" });
  refresh({ announce: true });
}

function enhanceAdding(form) {
  const button = form.querySelector("[type=submit]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.hasAttribute("aria-busy")) return;
    button.setAttribute("aria-busy", "true");
    try {
      await addToCart(form);
    } catch {
      // The server may have handled the request, so it is not sent again automatically.
      toast("The store did not answer. Look into your cart before you try again.", { kind: "danger" });
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}

// On a phone the filters are collapsed: choosing several and then pressing the button is easier there.
const WIDE = matchMedia("(min-width: 60rem)");
const FOCUS_KEY = "focus-after-submit";

function submitOnChange(form) {
  form.addEventListener("change", ({ target }) => {
    if (form.dataset.autoSubmit === "wide" && !WIDE.matches) return;
    sessionStorage.setItem(FOCUS_KEY, JSON.stringify([target.name, target.value]));
    form.requestSubmit();
  });
}

/** Remove empty fields from the URL. */
function dropEmpty(form) {
  form.addEventListener("formdata", ({ formData }) => {
    for (const name of new Set(formData.keys())) {
      const values = formData.getAll(name).filter((value) => value !== "");
      formData.delete(name);
      values.forEach((value) => formData.append(name, value));
    }
  });
}

/** After the page reloads, focus the filter that was changed by keyboard, and not the top of the page. */
function restoreFocus() {
  const [name, value] = JSON.parse(sessionStorage.getItem(FOCUS_KEY) ?? "[]");
  sessionStorage.removeItem(FOCUS_KEY);
  const same = [...document.getElementsByName(name ?? "")].filter((input) => input.type !== "hidden");
  (same.find((input) => input.value === value) ?? same[0])?.focus({ preventScroll: true });
}

document.querySelectorAll("[data-quantity]").forEach(stepper);
document.querySelectorAll("form[data-add-to-cart]").forEach(enhanceAdding);
document.querySelectorAll("form[data-auto-submit]").forEach(submitOnChange);
document.querySelectorAll("form[method=get]").forEach(dropEmpty);
restoreFocus();
document.querySelector("[data-error-summary]")?.focus();
