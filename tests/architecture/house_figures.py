"""Measures the code for a reader: sizes, names, helpers, and the files that a request enters.

    .venv/bin/python -m tests.architecture.house_figures            # from the sources alone
    .venv/bin/python -m tests.architecture.house_figures --trace    # also what requests enter; asks the running store

A traced request runs in this process, on the servers of the store that ``bin/shop up`` has started. A function counts
where it is called, so what a module does while it is imported does not.
"""

import argparse
import ast
import re
import statistics
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from shop.settings import PROJECT_ROOT, load_settings

SHOP = PROJECT_ROOT / "shop"
CACHING = "shop.patterns.caching"
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*")
BUYER = {
    "email": "robin@example.org",
    "address": {"name": "Robin Fields", "line1": "Lindenweg 4", "city": "Berlin", "postcode": "10115", "country": "DE"},
    "payment": {"token": "tok_ok"},
}


@dataclass(frozen=True)
class SourceModule:
    """The source of one module."""

    name: str
    lines: int
    tree: ast.Module


def read_modules(root: Path = SHOP) -> list[SourceModule]:
    """Read every module below a folder of this project."""
    found = []
    for path in sorted(root.rglob("*.py")):
        name = ".".join(path.relative_to(PROJECT_ROOT).with_suffix("").parts).removesuffix(".__init__")
        text = path.read_text()
        found.append(SourceModule(name, text.count("\n"), ast.parse(text)))
    return found


def class_names(modules: list[SourceModule]) -> dict[str, list[str]]:
    """Return each class name with the modules that define it."""
    found: dict[str, list[str]] = {}
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(module.name)
    return found


def is_one_word(name: str) -> bool:
    """Return whether a class name is a single word."""
    return len(WORD.findall(name.lstrip("_"))) == 1


def helpers_used_once(modules: list[SourceModule]) -> list[str]:
    """Return the private functions whose name is used in exactly one place of their module."""
    found = []
    for module in modules:
        uses = Counter(name for node in ast.walk(module.tree) if (name := _used(node)))
        defined = [
            node.name for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        found += [f"{module.name}.{name}" for name in defined if _is_private(name) and uses[name] == 1]
    return found


def inner_imports(modules: list[SourceModule], package: str) -> int:
    """Return the number of imports between the modules of a package."""
    inside = [module for module in modules if (module.name + ".").startswith(package + ".")]
    return sum(
        1
        for module in inside
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and ((node.module or "") + ".").startswith(package + ".")
    )


def source_figures(modules: list[SourceModule]) -> dict[str, object]:
    """Return the figures of the sources, by their name in the report."""
    largest = max(modules, key=lambda module: module.lines)
    names = class_names(modules)
    classes = sum(map(len, names.values()))
    single = sum(len(where) for name, where in names.items() if is_one_word(name))
    helpers, lines = len(helpers_used_once(modules)), sum(module.lines for module in modules)
    caching = [module for module in modules if (module.name + ".").startswith(CACHING + ".")]
    return {
        "modules": len(modules),
        "lines": lines,
        "median lines of a module": statistics.median(module.lines for module in modules),
        "largest module": f"{largest.lines} ({largest.name})",
        "classes": classes,
        "classes of one word": f"{single} ({single / classes:.0%})",
        "class names in several modules": sum(len(set(where)) > 1 for where in names.values()),
        "private helpers used once": f"{helpers} ({1000 * helpers / lines:.1f} per 1,000 lines)",
        "modules in patterns/caching": len(caching),
        "imports among them": inner_imports(modules, CACHING),
    }


def files_entered(ask: Callable[[], object]) -> list[str]:
    """Return the store's files, also templates, that a request enters, in order.

    A file is entered where a function of it is called.
    """
    entered: dict[str, None] = {}
    inside = f"{SHOP}/"

    def note(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(inside) and code.co_name != "<module>":
            entered.setdefault(code.co_filename.removeprefix(inside))

    sys.setprofile(note)
    try:
        ask()
    finally:
        sys.setprofile(None)
    return list(entered)


def traced() -> Iterator[tuple[str, list[str]]]:
    """Send the running store a cold page, a warm page and a checkout; yield the files of each."""
    from shop.app import create_app
    from shop.stack.endpoints import resolve, secret_key
    from shop.wiring import build

    settings = resolve(load_settings())
    runtime = build(settings.model_copy(update={"secret_key": secret_key(settings)}))
    runtime.start()
    try:
        client = create_app(runtime).test_client()
        slug = client.get("/api/v1/products?in_stock=true").get_json()["items"][0]["slug"]
        runtime.cache.shared.invalidate([f"product:{slug}"])
        page = f"/p/{slug}"
        yield "a cold product page", files_entered(lambda: _ok(client.get(page)))
        client.get(page)
        yield "a warm one", files_entered(lambda: _ok(client.get(page)))
        _ok(client.post("/api/v1/cart/items", json={"product": slug, "quantity": 1}))
        key = {"Idempotency-Key": uuid.uuid4().hex}
        yield "a checkout", files_entered(lambda: _ok(client.post("/api/v1/checkout", json=BUYER, headers=key)))
    finally:
        runtime.close()


def _ok(answer: Any) -> None:
    if answer.status_code >= 400:
        raise RuntimeError(f"{answer.status}: {answer.get_data(as_text=True)}")


def _used(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else None


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _print(title: str, rows: Mapping[str, object]) -> None:
    lines = [f"  {name:<34} {value}".rstrip() for name, value in rows.items()]
    sys.stdout.write("\n".join(["", title, *lines, ""]))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="How far a reader of the store has to walk.")
    parser.add_argument("--trace", action="store_true", help="also ask the running store, and list the files entered")
    given = parser.parse_args()
    _print("The sources of shop/", source_figures(read_modules()))
    if given.trace:
        for name, files in traced():
            _print(f"{name} enters {len(files)} files", dict.fromkeys(files, ""))


if __name__ == "__main__":
    main()
