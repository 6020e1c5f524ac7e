// A short message about the last action; it disappears automatically.

const STAYS_MS = 5000;
const region = document.querySelector("[data-toasts]");

/** Show a message. The region is a polite live region, so a screen reader reads it too. */
export function toast(text, { kind = "success", href = "", action = "" } = {}) {
  const box = document.createElement("div");
  box.className = `toast toast--${kind}`;
  box.append(Object.assign(document.createElement("p"), { textContent: text }));
  if (href) box.append(Object.assign(document.createElement("a"), { href, textContent: action }));
  region.replaceChildren(box);
  setTimeout(() => box.remove(), STAYS_MS);
}
