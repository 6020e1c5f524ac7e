// The lab without reloading: forms are sent in the background, and the figures can be refreshed. The answer is the
// whole page; the script replaces only its live parts, so the server alone renders figures. Folded parts stay folded.

import { toast } from "./toast.js";

const EVERY_MS = 3000;
let isRefreshing = false;

/** On a narrow screen the chapters begin folded, so that the page is short. Without this script the first is open. */
function foldChapters() {
  if (!matchMedia("(max-width: 48rem)").matches) return;
  for (const fold of document.querySelectorAll("details[data-fold]")) fold.open &&= fold.dataset.changed !== "";
}

/** A part stays as the visitor has folded it, but opens if something in it was changed. */
function keepFolds(part, replacement) {
  for (const fold of replacement.querySelectorAll("details[data-fold]")) {
    const shown = part.querySelector(`details[data-fold="${fold.dataset.fold}"]`);
    if (!shown) continue;
    const known = shown.dataset.changed.split(" ");
    const isNew = fold.dataset.changed.split(" ").some((name) => name && !known.includes(name));
    fold.open = shown.open || isNew;
  }
}

/** A number that the visitor has typed stays. */
function keepInputs(part, replacement) {
  for (const typed of part.querySelectorAll("input.input")) {
    const fresh = replacement.querySelector(`input.input[name="${typed.name}"]`);
    if (fresh && typed.value !== typed.defaultValue) fresh.value = typed.value;
  }
}

/** The same control has the same key before and after a refresh. */
function keyOf(control) {
  const { switch: row, fold } = control.closest("[data-switch], [data-fold]")?.dataset ?? {};
  const value = control.tagName === "BUTTON" ? control.value : "";
  return [control.tagName, row, fold, control.name, value, control.getAttribute("href")].join(" ");
}

/** Replaces a part; the keyboard stays at its control. */
function replacePart(part, replacement) {
  keepFolds(part, replacement);
  keepInputs(part, replacement);
  const focused = part.contains(document.activeElement) ? keyOf(document.activeElement) : null;
  part.replaceChildren(...replacement.childNodes);
  if (focused === null) return;
  const controls = [...part.querySelectorAll("a, button, input, summary")];
  controls.find((control) => keyOf(control) === focused)?.focus({ preventScroll: true });
}

function replaceLiveParts(html) {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const live = document.querySelector("[data-lab-live]");
  live.dataset.stamp = fresh.querySelector("[data-lab-live]").dataset.stamp;
  for (const part of document.querySelectorAll("[data-live]")) {
    const replacement = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    if (replacement) replacePart(part, replacement);
  }
}

async function refresh() {
  const answer = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" } }).catch(() => null);
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
  document.querySelector(`.lab-switch[data-switch="${row}"] [value="${submitter.value}"]`)?.focus();
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

/** Somebody else has set a switch or a fault, such as a command in a terminal or an experiment. */
async function follow(stamp) {
  const live = document.querySelector("[data-lab-live]");
  if (isRefreshing || live.dataset.stamp === stamp) return;
  isRefreshing = true;
  await refresh();
  isRefreshing = false;
}

foldChapters();
document.addEventListener("lab:stamp", (event) => follow(event.detail));
document.querySelectorAll("[data-flips]").forEach(sendInBackground);
document.querySelectorAll("[data-refresh-control]").forEach(offerRefreshing);
