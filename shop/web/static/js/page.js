// What every page runs. Modules import each other by plain name, so each is loaded once.

import "./header.js";
import "./forms.js";
