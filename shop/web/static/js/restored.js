// The Back button may bring a page back as it was left, minutes ago and perhaps by somebody else: browsers keep it whole
// (back-forward cache), and no request is made. What it said of the shopper or of a moment is taken back, then asked anew.

/** Run `reset` when the page is left and when it comes back, and then `refresh`. */
export function whenRestored(reset, refresh) {
  addEventListener("pagehide", reset);
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    reset();
    refresh();
  });
}
