#!/bin/sh
# zensical: a strict build finds no issue in a link to a file that does not exist, if it is outside the docs folder.
#
# Software: zensical 0.0.73, PyPI. Needs: python3 with venv.
# Expected before running: `build --strict` fails for each relative link that leads to nothing. Documentation links its
#   source files (../shop/app.py), so such a link outside the folder of the pages is checked as well, or refused.
# Seen: a dead link to a page inside the folder fails the build. A dead link to a file outside it is written into the
#   page as it stands, and the build ends with "No issues found" and exit code 0.
# What follows: links from the documentation to the code need a check of their own, or a generator that knows the files.
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install zensical==0.0.73
"$home/venv/bin/pip" list 2>/dev/null | grep -i '^zensical'
mkdir -p "$home/project/docs"
cd "$home/project"
printf '[project]\nsite_name = "Store"\n' >zensical.toml

built() {
    printf '# Store\n\n[The code](%s)\n' "$1" >docs/index.md
    rm -rf site .cache
    code=0
    "$home/venv/bin/zensical" build --strict >"$home/output" 2>&1 || code=$?
    echo "$code"
}
inside=$(built missing.md)
echo "dead link inside the folder:  exit code $inside"
outside=$(built ../shop/missing.py)
echo "dead link outside the folder: exit code $outside, $(grep -i 'no issues' "$home/output" || true)"
echo "link in the page: $(grep -o 'href="[^"]*missing[^"]*"' site/index.html || true)"
[ "$inside" != 0 ] && [ "$outside" = 0 ]
