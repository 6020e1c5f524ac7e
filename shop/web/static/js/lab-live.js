// The lab's live figures: polls once a second, and draws small charts. The server computes every figure; the script
// only shows it. A hidden page does not poll, and a button pauses it (WCAG 2.2.2).

const EVERY_MS = 1000;
const POINTS = 60;
const ROWS_EVERY = 5;
const NONE = "–";
const [WIDTH, HEIGHT] = [POINTS, 20];

const place = document.querySelector("[data-lab-live]");
const points = [];

const number = (value, digits = 0) =>
  value === null || value === undefined
    ? NONE
    : value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });
const rate = (value) => number(value, value !== null && value < 100 ? 1 : 0);
const duration = (value) => (value !== null && value < 1 ? "< 1" : rate(value));
const waiting = (point) => (point.outbox === null ? null : point.outbox + (point.queue ?? 0));

// Each figure by its name on the page: its value in a point, a second one, and how they are written.
const FIGURES = {
  requests: { of: (point) => point.requests, write: rate },
  latency: { of: (point) => point.p50, second: (point) => point.p95, write: duration },
  errors: { of: (point) => point.errors, write: rate, isBad: (value) => value > 0 },
  queries: { of: (point) => point.queries, write: rate },
  in_flight: { of: (point) => point.in_flight, write: number },
  waiting: { of: waiting, write: number },
};

/** Return the path of a line through values, the newest at the right; a missing value leaves a gap. */
function line(values, greatest) {
  const start = POINTS - values.length;
  let path = "";
  let isDrawing = false;
  values.forEach((value, at) => {
    if (value === null || value === undefined) {
      isDrawing = false;
      return;
    }
    const y = HEIGHT - 1 - ((HEIGHT - 2) * value) / greatest;
    path += `${isDrawing ? "L" : "M"}${start + at} ${y.toFixed(1)}`;
    if (!isDrawing) path += "h.5"; // a single value is a dot
    isDrawing = true;
  });
  return path;
}

function drawFigure(tile) {
  const figure = FIGURES[tile.dataset.figure];
  const newest = points.at(-1);
  const values = points.map(figure.of);
  const seconds = figure.second ? points.map(figure.second) : [];
  const greatest = Math.max(1, ...values.filter(Number.isFinite), ...seconds.filter(Number.isFinite));
  tile.querySelector("[data-value]").textContent = figure.write(figure.of(newest));
  tile.querySelector(".spark__line").setAttribute("d", line(values, greatest));
  if (figure.second) {
    tile.querySelector("[data-second]").textContent = figure.write(figure.second(newest));
    tile.querySelector(".spark__second").setAttribute("d", line(seconds, greatest));
  }
  if (figure.isBad) tile.classList.toggle("tile-live--bad", figure.isBad(figure.of(newest)));
}

/** Fill the table beside a chart, for screen readers: a row for each five seconds. */
function fillTable(tile) {
  const figure = FIGURES[tile.dataset.figure];
  const place = tile.querySelector("[data-table]");
  const newest = points.at(-1).at;
  const shown = points.filter((_, at) => (points.length - 1 - at) % ROWS_EVERY === 0).reverse();
  place.querySelector("tbody").replaceChildren(
    ...shown.map((point) => {
      const row = document.createElement("tr");
      const ago = Object.assign(document.createElement("th"), { scope: "row" });
      ago.textContent = Math.round(newest - point.at);
      const cell = document.createElement("td");
      const second = figure.second ? `, ${figure.write(figure.second(point))}` : "";
      cell.textContent = figure.write(figure.of(point)) + second;
      row.append(ago, cell);
      return row;
    }),
  );
  place.hidden = false;
}

function drawBar(bar, answers, total) {
  let start = 0;
  for (const part of bar.querySelectorAll("[data-part]")) {
    const width = total ? (100 * (answers[part.dataset.part] ?? 0)) / total : 0;
    part.setAttribute("x", start.toFixed(2));
    part.setAttribute("width", width.toFixed(2));
    start += width;
  }
}

/** The line that a narrow screen keeps in sight: of each figure its second value, if it has two. */
function drawBrief() {
  for (const cell of document.querySelectorAll("[data-brief]")) {
    const figure = FIGURES[cell.dataset.brief];
    cell.textContent = figure.write((figure.second ?? figure.of)(points.at(-1)));
  }
}

function drawShares(answers) {
  const total = Object.values(answers).reduce((sum, count) => sum + count, 0);
  document.querySelectorAll(".answers").forEach((bar) => drawBar(bar, answers, total));
  for (const share of place.querySelectorAll("[data-share]")) {
    const count = answers[share.dataset.share] ?? 0;
    share.textContent = count ? `${((100 * count) / total).toFixed(0)} %` : NONE;
  }
}

function drawState(answer) {
  const { lookups } = answer.recent;
  for (const cell of place.querySelectorAll("[data-rate]")) {
    const [asked, hits] = lookups[cell.dataset.rate] ?? [0, 0];
    cell.textContent = asked > 0 ? `${((100 * hits) / asked).toFixed(0)} %` : NONE;
  }
  const { outbox, queue, breakers } = answer.state;
  const open = breakers.filter((one) => one.state !== "closed");
  place.querySelector('[data-state="outbox"]').textContent = number(outbox);
  place.querySelector('[data-state="queue"]').textContent = number(queue);
  place.querySelector('[data-state="breakers"]').textContent =
    open.map((one) => `${one.name} ${one.state}`).join(", ") || "closed";
}

function take(answer) {
  const { state } = answer;
  const seen = points.at(-1)?.at ?? 0;
  for (const point of answer.points ?? [answer.point]) {
    if (point && point.at > seen) points.push({ ...point, outbox: state.outbox, queue: state.queue });
  }
  points.splice(0, points.length - POINTS);
  if (points.length > 0) {
    const tiles = place.querySelectorAll("[data-figure]");
    tiles.forEach(drawFigure);
    drawBrief();
    const isFirst = place.querySelector("[data-table]").hidden;
    if (isFirst || points.length % ROWS_EVERY === 1 || points.length === POINTS) tiles.forEach(fillTable);
    drawShares(answer.recent.answers);
  }
  drawState(answer);
  const faults = Object.entries(state.faults).sort().map(([name, value]) => `${name}=${value}`);
  const stamp = `${state.switches} ${faults.join(",")} ${state.order}`;
  document.dispatchEvent(new CustomEvent("lab:stamp", { detail: stamp }));
}

function offerPause(poll) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button button--small";
  button.textContent = "Pause";
  const note = place.querySelector("[data-live-note]");
  note.textContent = "Each second.";
  let isPaused = false;
  button.addEventListener("click", () => {
    isPaused = !isPaused;
    button.textContent = isPaused ? "Go on" : "Pause";
  });
  place.querySelector(".lab__live-head").append(button);
  setInterval(() => {
    if (!isPaused && !document.hidden) poll();
  }, EVERY_MS);
}

async function poll(query = "") {
  const answer = await fetch(`/lab/live${query}`).catch(() => null);
  place.classList.toggle("lab__live--away", !answer?.ok);
  if (answer?.ok) take(await answer.json());
}

if (place) {
  poll("?history");
  offerPause(poll);
}
