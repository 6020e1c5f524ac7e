// The lab without reloading: flips are sent in the background, and the figures can be kept fresh. What arrives is
// the page itself; only its live parts are put in place, so there is one way to show a figure, not two.

import { toast } from "./toast.js";

const EVERY_MS = 3000;

function put(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    if (other) part.replaceChildren(...other.childNodes);
  }
}

async function refresh() {
  const answer = await fetch("/lab", { headers: { Accept: "text/html" } }).catch(() => null);
  if (answer?.ok) put(await answer.text());
}

async function flip(form, submitter) {
  const row = submitter.closest("[data-switch]")?.dataset.switch;
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, submitter)) });
  if (!answer.ok) {
    toast("That flip was refused.", { kind: "danger" });
    return;
  }
  put(await answer.text());
  if (!row) {
    toast(form.dataset.says ?? "All switches stand at their defaults.");
    return;
  }
  document.querySelector(`[data-switch="${row}"] [value="${submitter.value}"]`)?.focus();
  toast(`${row} stands at ${submitter.value}.`);
}

function sendInBackground(place) {
  place.addEventListener("submit", (event) => {
    event.preventDefault();
    flip(event.target, event.submitter).catch(() => event.target.submit());
  });
}

/** Moving figures are asked for, never forced on anybody (WCAG 2.2.2). */
function offerRefreshing(place) {
  const label = document.createElement("label");
  label.className = "check";
  const box = Object.assign(document.createElement("input"), { type: "checkbox" });
  label.append(box, "Keep the figures fresh");
  place.append(label);
  setInterval(() => {
    if (box.checked && !document.hidden) refresh();
  }, EVERY_MS);
}

document.querySelectorAll("[data-flips]").forEach(sendInBackground);
document.querySelectorAll("[data-refresh-control]").forEach(offerRefreshing);
