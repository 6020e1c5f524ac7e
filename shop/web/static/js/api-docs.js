// Adds forms that try calls to the API page, and opens the call or schema of the URL's fragment.

function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.scrollIntoView();
  }
}

function request(form) {
  const url = { path: form.getAttribute("action"), query: new URLSearchParams() };
  const options = { method: form.dataset.try, headers: {} };
  for (const field of form.querySelectorAll("[data-in]")) {
    const value = field.value.trim();
    if (field.dataset.in === "path") url.path = url.path.replace(`{${field.name}}`, encodeURIComponent(value));
    if (!value) continue;
    if (field.dataset.in === "query") url.query.append(field.name, value);
    if (field.dataset.in === "header") options.headers[field.name] = value;
    if (field.dataset.in === "body") {
      options.body = value;
      options.headers["Content-Type"] = "application/json";
    }
  }
  const query = url.query.toString();
  return [query ? `${url.path}?${query}` : url.path, options];
}

function show(place, title, text) {
  const head = document.createElement("p");
  head.textContent = title;
  const body = document.createElement("pre");
  body.tabIndex = 0;
  body.setAttribute("role", "group");
  body.setAttribute("aria-label", "The answer");
  body.textContent = text;
  place.replaceChildren(head, ...(text ? [body] : []));
}

async function send(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const place = form.querySelector("[data-answer]");
  try {
    const answer = await fetch(...request(form));
    const text = await answer.text();
    const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    const body = /json/.test(answer.headers.get("Content-Type") ?? "") ? JSON.stringify(JSON.parse(text), null, 2) : text;
    show(place, `${answer.status} ${answer.statusText}`.trim(), `${headers}\n\n${body}`);
  } catch (error) {
    show(place, `Nothing came back: ${error.message}`, "");
  }
}

for (const form of document.querySelectorAll("form[data-try]")) {
  form.hidden = false;
  form.addEventListener("submit", send);
}
addEventListener("hashchange", reveal);
reveal();
