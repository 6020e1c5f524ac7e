// What every page runs. Modules import each other by plain name, so each is loaded once.

import "./header.js";
import "./forms.js";
import { whenRestored } from "./restored.js";

// All of a page that is not the same for everybody may be old, or another shopper's.
if ("private" in document.body.dataset) {
  const main = document.getElementById("main");
  whenRestored(
    () => (main.style.visibility = "hidden"),
    () => location.reload(),
  );
}
