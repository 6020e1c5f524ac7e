// A short message that says what just happened and leaves by itself.

const STAYS_MS = 5000;
const region = document.querySelector("[data-toasts]");

/** Show a message; the region is a polite live region, so it is read out as well. */
export function toast(text, { kind = "success", href = "", action = "" } = {}) {
  const box = document.createElement("div");
  box.className = `toast toast--${kind}`;
  box.append(Object.assign(document.createElement("p"), { textContent: text }));
  if (href) box.append(Object.assign(document.createElement("a"), { href, textContent: action }));
  region.replaceChildren(box);
  setTimeout(() => box.remove(), STAYS_MS);
}
