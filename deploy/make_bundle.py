"""Makes one archive with this checkout and all its packages, for machines without a network: ``make bundle``.

The packages are those of a lock file, for this system and this version of Python, checked by their hashes. They include
the servers that the stack runs. Files that git ignores are left out, such as the data and the answers of a learner.
"""

import argparse
import platform
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "shop"
WHEELS = "wheels"
NOTE = "FOR-WHICH-MACHINES.txt"
LEFT_OUT = {".git", ".venv", "var", "exercises", "dist", "build", WHEELS, "__pycache__", ".env"}
"""At the top, and caches anywhere, if there is no git to ask."""


def main() -> int:
    """Make the archive and print its size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lock", type=Path, default=ROOT / "requirements-dev.lock", help="the packages")
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "shop-bundle.tar.gz", help="the archive")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.out.parent) as folder:
        wheels = Path(folder) / WHEELS
        if not download(options.lock, wheels):
            click.echo("The packages could not be downloaded: making a bundle needs a network.", err=True)
            return 1
        partial = Path(folder) / options.out.name
        write_archive(partial, wheels)
        shutil.move(partial, options.out)
    click.echo(f"{options.out}: {options.out.stat().st_size / 1_000_000:,.0f} MB, {machines()}.")
    return 0


def download(lock: Path, wheels: Path) -> bool:
    """Download the packages of a lock file as wheels; return whether all were found.

    A package without a wheel would have to be built on the other machine, which lacks the tools for it.
    """
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    command += ["--require-hashes", "--only-binary", ":all:", "--requirement", str(lock), "--dest", str(wheels)]
    return subprocess.run(command, check=False).returncode == 0


def write_archive(path: Path, wheels: Path) -> None:
    """Write checkout and packages into one archive."""
    (wheels / NOTE).write_text(f"These packages are {machines()}.\n", encoding="utf-8")
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:  # wheels are compressed already
        for name in sorted(checkout_files()):
            archive.add(ROOT / name, f"{PREFIX}/{name}", recursive=False, filter=anonymous)
        for wheel in sorted(wheels.iterdir()):
            archive.add(wheel, f"{PREFIX}/{WHEELS}/{wheel.name}", filter=anonymous)


def checkout_files() -> Iterator[str]:
    """Yield the files of this checkout, relative to it."""
    listed = None
    if (ROOT / ".git").exists() and shutil.which("git"):
        command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
    names = listed if listed is not None else (path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*"))
    for name in names:
        parts = Path(name).parts
        is_left_out = not parts or parts[0] in LEFT_OUT or "__pycache__" in parts
        if not is_left_out and (ROOT / name).is_file():
            yield name


def machines() -> str:
    """Return the machines for which the packages are."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return f"for Python {version} on {platform.system()} ({sysconfig.get_platform()})"


def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Remove the owner of a file."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    sys.exit(main())
