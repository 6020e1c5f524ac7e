// The strip at the foot of every page in the lab profile: how this page was answered, and what is unusual in the store.
// The page itself is the same for all visitors: the strip is drawn from the navigation's Server-Timing and one private call.

const KEY = "lab-strip"; // in the browser's own storage: "off" after a click on Hide
const IS_LAB = location.pathname === "/lab" || location.pathname.startsWith("/lab/");
const BROWSER = "browser's own copy"; // the word of the logs, too

const stored = () => {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // no storage in this browser: the strip is shown
  }
};
const store = (value) => {
  try {
    localStorage.setItem(KEY, value);
  } catch {
    // without storage the choice holds for this page
  }
};

const element = (name, properties, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};
const inWords = (count) => (count === 1 ? "1 query" : `${count} queries`);
const entryOf = (navigation, name) => navigation.serverTiming.find((entry) => entry.name === name);

/** Return the layer that answered, by the edge's own word if the logs do not have the request yet. */
function answeredBy(navigation, answer) {
  if (navigation.transferSize === 0) return BROWSER;
  if (answer?.answered_by) return answer.answered_by;
  return entryOf(navigation, "edge")?.description === "hit" ? "edge" : "application";
}

function facts(navigation, answer) {
  const took = Math.max(0, navigation.responseEnd - navigation.requestStart).toFixed(0);
  const queries = parseInt(entryOf(navigation, "db")?.description ?? "0", 10);
  const layer = answeredBy(navigation, answer);
  const parts = [element("strong", { textContent: layer }), ` in ${took} ms`];
  if (layer !== BROWSER) parts.push(`, ${inWords(queries)}`);
  return element("span", {}, "Answered by: ", ...parts);
}

function unusual({ faults, switches, parameters }) {
  const danger = faults.length > 0 || switches.some((one) => one.unsafe);
  const words = [
    ...faults.map(({ name, value }) => `fault ${name} = ${value}`),
    ...[...switches, ...parameters].map(({ name, value }) => `${name} = ${value}`),
  ];
  const box = element("a", { className: "lab-strip__unusual", href: "/lab", textContent: words.join(" · ") });
  box.classList.toggle("lab-strip__unusual--danger", danger);
  return words.length ? [box] : [];
}

function draw(navigation, id, answer) {
  const link = element("a", { href: `/lab/requests/${id}`, textContent: `request ${id.slice(0, 8)}` });
  const button = element("button", { type: "button", className: "lab-strip__hide", textContent: "Hide" });
  const strip = element("aside", { className: "lab-strip" }, facts(navigation, answer), link);
  strip.setAttribute("aria-label", "How this page was answered");
  strip.append(...(answer ? unusual(answer) : []), button);
  if (IS_LAB && stored() === "off") button.textContent = "Show on every page";
  button.addEventListener("click", () => {
    const hide = stored() !== "off";
    store(hide ? "off" : "on");
    if (IS_LAB) button.textContent = hide ? "Show on every page" : "Hide";
    else strip.remove();
  });
  document.body.append(strip);
}

const navigation = performance.getEntriesByType("navigation")[0];
const id = navigation && entryOf(navigation, "req")?.description;
if (id && (IS_LAB || stored() !== "off")) {
  const response = await fetch(`/api/v1/lab/requests/${id}`, { headers: { Accept: "application/json" } }).catch(() => null);
  draw(navigation, id, response?.ok ? await response.json() : null);
}
