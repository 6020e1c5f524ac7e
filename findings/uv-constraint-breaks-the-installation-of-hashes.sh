#!/bin/sh
# uv: a constraint in pyproject.toml makes the installation of a lock file with hashes fail.
#
# Software: uv 0.13.9, PyPI. Needs: python3 with venv, and the package index.
# Expected before running: constraint-dependencies in [tool.uv] bounds what uv resolves, such as `uv pip compile`. A lock
#   file has one version of everything, with hashes; with --require-hashes uv resolves nothing, and a
#   constraint that the locked version meets changes nothing.
# Seen: in a folder whose pyproject.toml has a constraint without ==, the same command on the same lock file fails: in the
#   mode with hashes the constraint itself must be pinned with ==. Without pyproject.toml, or with --no-config, it succeeds.
# What follows: a project that installs its lock files with uv keeps bounds in its dependencies, not in [tool.uv].
# Exit code: 0 while this is so, 1 when it is not.
set -eu

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
python3 -m venv "$home/venv"
"$home/venv/bin/pip" --quiet --disable-pip-version-check install uv==0.13.9
uv="$home/venv/bin/uv"
"$uv" --version
mkdir "$home/project"
cd "$home/project"
echo 'itsdangerous==2.2.0' >requirements.in
"$uv" pip compile --quiet --no-config --generate-hashes --output-file requirements.lock requirements.in

installed() {
    rm -rf "$home/target"
    "$uv" pip install --quiet "$@" --require-hashes --target "$home/target" -r requirements.lock 2>"$home/error" &&
        echo yes || echo no
}
without=$(installed)
printf '[tool.uv]\nconstraint-dependencies = ["itsdangerous<3"]\n' >pyproject.toml
with=$(installed)
said=$(tail -1 "$home/error")
ignored=$(installed --no-config)
echo "installed without the constraint: $without"
echo "installed with it: $with ($said)"
echo "installed with it and --no-config: $ignored"
[ "$without $with $ignored" = "yes no yes" ]
