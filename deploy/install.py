"""Installs the locked packages and this checkout into the environment that runs it: ``make run``, ``make test``.

pip installs uv, and uv installs the rest in a fraction of pip's time; both check the hashes of the lock file. uv does
not read pip's configuration, so this script passes it on: index, mirror, proxy and certificates stay those of pip. If
uv has no build for this machine, if pip has a setting that uv lacks, or if uv fails, pip installs everything.

The script needs only the standard library: nothing else is installed yet.
"""

import argparse
import ast
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "requirements-dev.lock"
"""The lock file that pins uv, with its hashes."""
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
SECTIONS = ("global", "install", ":env:")
"""The parts of pip's configuration that concern an installation; a later one overrides."""
HARMLESS = {
    *("break-system-packages", "cache-dir", "compile", "disable-pip-version-check", "log", "no-cache-dir", "no-color"),
    *("no-compile", "no-input", "no-python-version-warning", "no-warn-script-location", "prefer-binary"),
    *("progress-bar", "quiet", "require-virtualenv", "retries", "root-user-action", "verbose"),
}
"""Settings of pip that do not decide from where a package comes, or which one is installed."""
NOT_INSTALLED = (
    "The dependencies could not be installed. Check the network. If one of them has no build for this platform, use"
    " Linux or macOS on x86-64 or arm64, or docker-compose.yml."
)
IMPORTS = "import shop.cli.lab, shop.cli.lab_load; from shop.stack.privileges import SERVER_MODULES; " + (
    "import importlib; [importlib.import_module(name) for name in SERVER_MODULES]"
)
"""Imports once what the servers and the lab import, so that Python writes the bytecode of these modules.

Needed only where ``PYTHONDONTWRITEBYTECODE`` is set: else each of a dozen processes would compile them at each start.
"""
TICK_S = 1.0
TAIL_LINES = 15


@dataclass
class UvOptions:
    """The arguments and variables that make uv install as pip is configured."""

    arguments: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    """Settings of pip that uv cannot follow."""


def main() -> int:
    """Install, and say how long each step took; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lock", type=Path, help="the lock file")
    parser.add_argument("--only-packages", action="store_true", help="do not install the checkout itself")
    parser.add_argument("--to-run", action="store_true", help="compile only what the servers and the lab import")
    parser.add_argument("--pip", action="store_true", help="install everything with pip, as where uv cannot")
    options = parser.parse_args()
    names = package_names(options.lock)
    print(f"Installing {len(names)} packages into {Path(sys.prefix).name}, once.", flush=True)
    uv = None if options.pip else install_uv(names)
    has_bytecode = not os.environ.get("PYTHONDONTWRITEBYTECODE")
    if uv is not None and not has_bytecode and not options.to_run:
        uv.arguments.append("--compile-bytecode")
    is_installed = install_packages(options.lock, uv, f"{len(names)} packages")
    if is_installed and not options.only_packages:
        is_installed = install_checkout(uv)
    if is_installed and uv is not None and not has_bytecode and options.to_run:
        run("bytecode", [sys.executable, "-c", IMPORTS], {"PYTHONDONTWRITEBYTECODE": ""})
    if not is_installed:
        print(NOT_INSTALLED, file=sys.stderr)
    return 0 if is_installed else 2


def package_names(file: Path) -> set[str]:
    """Return the normalised names in a lock file or a file of constraints (PEP 503)."""
    return {re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"^[\w.-]+", file.read_text(), re.MULTILINE)}


def install_uv(names: set[str]) -> UvOptions | None:
    """Install uv with pip, unless it is there; return how to call it, or ``None`` if it cannot be used.

    Args:
        names: the packages that it will install.
    """
    options = translate(pip_settings(), names)
    if options.unknown:
        print(f"  pip installs them: its setting {options.unknown[0]} has no counterpart in uv.", flush=True)
        return None
    pin = re.search(r"^uv==.*(?:\n    .*)*", PINS.read_text(), re.MULTILINE)
    assert pin, f"{PINS.name} does not name uv"  # noqa: S101 - else `make lock` is wrong
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(pin.group())
        file.flush()
        command = [*PIP, "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "--requirement", file.name]
        is_there, _ = run("the installer, uv", command)
    return options if is_there else None


def install_packages(lock: Path, uv: UvOptions | None, name: str) -> bool:
    """Install the packages of a lock file with uv, or with pip; return whether they are installed."""
    words = ["install", "--require-hashes", "--requirement", str(lock)]
    if uv is not None:
        if run(name, uv_command(uv, *words), uv.environment)[0]:
            return True
        print("  uv could not install them: pip tries, which takes longer.", flush=True)
    is_installed, output = run(f"{name}, with pip", [*PIP, *words, "--quiet"])
    if not is_installed:
        print(output, file=sys.stderr)
        for note in ROOT.glob("wheels/FOR-WHICH-MACHINES.txt"):
            print(note.read_text(), file=sys.stderr)
    return is_installed


def install_checkout(uv: UvOptions | None) -> bool:
    """Install this checkout so that its files are used in place; return whether that worked."""
    words = ["install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    if uv is not None and run("this checkout", uv_command(uv, *words), uv.environment)[0]:
        return True
    is_installed, output = run("this checkout, with pip", [*PIP, *words, "--quiet"])
    if not is_installed:
        print(output, file=sys.stderr)
    return is_installed


def uv_command(options: UvOptions, *words: str) -> list[str]:
    """Return a command of uv for the environment that runs this script."""
    uv = str(Path(sys.executable).parent / "uv")
    return [uv, "pip", *words, "--python", sys.executable, "--no-config", *options.arguments]


def pip_settings() -> dict[str, str]:
    """Return pip's settings for an installation, from its files and its variables, as pip itself resolves them."""
    listed = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True, check=False).stdout
    return read_settings(listed)


def read_settings(listed: str) -> dict[str, str]:
    """Return the settings in the output of ``pip config list``: lines such as ``global.index-url='https://...'``."""
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listed.splitlines():
        section, _, rest = line.partition(".")
        name, is_setting, value = rest.partition("=")
        if is_setting and section in found:
            found[section][name] = str(ast.literal_eval(value))
    return {name: value for section in SECTIONS for name, value in found[section].items()}


def translate(settings: Mapping[str, str], names: set[str]) -> UvOptions:
    """Translate pip's settings. Addresses may contain passwords: they go into variables, which ``ps`` does not show.

    Args:
        settings: by pip's names.
        names: the packages to install.
    """
    # Like pip: the system's certificates, and one version may come from any index. Its hash decides.
    options = UvOptions(["--system-certs"], {"UV_INDEX_STRATEGY": "unsafe-best-match"})
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if bundle:
        options.environment["SSL_CERT_FILE"] = bundle
    for name, value in settings.items():
        if name in TRANSLATIONS:
            TRANSLATIONS[name](options, value)
        elif name == "constraint" and not _constrains(value, names):
            continue  # uv takes no constraint without a hash, and this one concerns other packages
        elif name not in HARMLESS:
            options.unknown.append(name)
    return options


def _variable(*names: str, separator: str = " ") -> Callable[[UvOptions, str], None]:
    def translate_value(options: UvOptions, value: str) -> None:
        options.environment.update(dict.fromkeys(names, separator.join(value.split())))

    return translate_value


def _constrains(files: str, names: set[str]) -> bool:
    try:
        return any(package_names(ROOT / file) & names for file in files.split())
    except OSError:
        return True


def _flag(argument: str) -> Callable[[UvOptions, str], None]:
    def translate_value(options: UvOptions, value: str) -> None:
        options.arguments += [argument] if value.lower() in {"1", "true", "yes", "on", "y", "t"} else []

    return translate_value


TRANSLATIONS: dict[str, Callable[[UvOptions, str], None]] = {
    "index-url": _variable("UV_DEFAULT_INDEX"),
    "extra-index-url": _variable("UV_INDEX"),
    "find-links": _variable("UV_FIND_LINKS", separator=","),
    "no-index": _flag("--no-index"),
    "trusted-host": _variable("UV_INSECURE_HOST"),
    "cert": _variable("SSL_CERT_FILE"),
    "client-cert": _variable("SSL_CLIENT_CERT"),
    "proxy": _variable("HTTP_PROXY", "HTTPS_PROXY"),
    "timeout": _variable("UV_HTTP_TIMEOUT"),
    "default-timeout": _variable("UV_HTTP_TIMEOUT"),
}
"""What passes one setting of pip on to uv."""


def run(name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> tuple[bool, str]:
    """Run one step and print its name and seconds; on a terminal, the seconds count while it runs.

    Args:
        name: of the step.
        command: with its arguments.
        environment: variables for it. uv's own variables are removed: pip's configuration decides.

    Returns:
        Whether it succeeded, and the last lines of its output.
    """
    inherited = {key: value for key, value in os.environ.items() if key == "UV_CACHE_DIR" or not key.startswith("UV_")}
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, env={**inherited, **(environment or {})}, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )
        while True:
            try:
                code = process.wait(timeout=TICK_S)
                break
            except subprocess.TimeoutExpired:
                if sys.stdout.isatty():
                    print(f"\r  {name:<24}{time.monotonic() - began:>5.0f} s", end="", flush=True)
        output.seek(0)
        last = output.read().decode(errors="replace").splitlines()[-TAIL_LINES:]
    start = "\r" if sys.stdout.isatty() else ""
    print(f"{start}  {name:<24}{time.monotonic() - began:>5.1f} s{'' if code == 0 else '  failed'}", flush=True)
    return code == 0, "\n".join(last)


if __name__ == "__main__":
    sys.exit(main())
