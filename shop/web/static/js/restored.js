// The Back button may restore a page without any request (back-forward cache): minutes old, and perhaps left by another
// person. So its private and current parts are reset and loaded again.

/** Run `reset` when the page is left; run `reset` and then `refresh` when it is restored. */
export function whenRestored(reset, refresh) {
  addEventListener("pagehide", reset);
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    reset();
    refresh();
  });
}
