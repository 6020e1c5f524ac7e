"""Reads the forms of a page, as a browser sends them back unchanged."""

from html.parser import HTMLParser


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self._fields: dict[str, str] = {}
        self._open: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "form":
            self._fields = self.found.setdefault(given.get("action") or "", {})
        elif tag == "textarea":
            self._open = name
            self._fields[name] = ""
        elif tag == "select":
            self._open = f"select {name}"
        elif tag == "option" and "selected" in given and self._open:
            self._fields[self._open.removeprefix("select ")] = given.get("value") or ""
        elif tag == "input" and name and (given.get("type") not in ("radio", "checkbox") or "checked" in given):
            self._fields[name] = given.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag in ("textarea", "select"):
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open is not None and not self._open.startswith("select "):
            self._fields[self._open] += data


def form_fields(page: str, action: str) -> dict[str, str]:
    """Return the fields of the form that posts to an address, with line breaks as browsers send them."""
    reader = _Forms()
    reader.feed(page)
    fields = reader.found[action]
    return {name: value.replace("\r\n", "\n").replace("\n", "\r\n") for name, value in fields.items()}
