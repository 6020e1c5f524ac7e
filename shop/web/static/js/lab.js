// The lab without reloading: forms are sent in the background, and the figures can be refreshed. The answer is the
// whole page; the script replaces only its live parts, so the server alone renders figures.

import { toast } from "./toast.js";

const EVERY_MS = 3000;

function replaceLiveParts(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const replacement = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    if (replacement) part.replaceChildren(...replacement.childNodes);
  }
}

async function refresh() {
  const answer = await fetch("/lab", { headers: { Accept: "text/html" } }).catch(() => null);
  if (answer?.ok) replaceLiveParts(await answer.text());
}

async function send(form, submitter) {
  const row = submitter.closest("[data-switch]")?.dataset.switch;
  const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, submitter)) });
  if (!answer.ok) {
    toast("The store refused the change.", { kind: "danger" });
    return;
  }
  replaceLiveParts(await answer.text());
  if (!row) {
    toast(form.dataset.says ?? "All switches reset.");
    return;
  }
  document.querySelector(`[data-switch="${row}"] [value="${submitter.value}"]`)?.focus();
  toast(`${row} = ${submitter.value}`);
}

function sendInBackground(place) {
  place.addEventListener("submit", (event) => {
    event.preventDefault();
    send(event.target, event.submitter).catch(() => event.target.submit());
  });
}

/** Figures refresh only if the visitor ticks a box (WCAG 2.2.2). */
function offerRefreshing(place) {
  const label = document.createElement("label");
  label.className = "check";
  const box = Object.assign(document.createElement("input"), { type: "checkbox" });
  label.append(box, "Refresh the figures automatically");
  place.append(label);
  setInterval(() => {
    if (box.checked && !document.hidden) refresh();
  }, EVERY_MS);
}

document.querySelectorAll("[data-flips]").forEach(sendInBackground);
document.querySelectorAll("[data-refresh-control]").forEach(offerRefreshing);
