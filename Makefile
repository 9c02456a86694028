# Two commands matter: `make demo` and `make test`. Both set up all they need, say what they do, and can be run again.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUTPUT ?= perc_output
# Processes that the tests run in.
JOBS ?= 2
# A folder of real files for `make demo REAL=…`.
REAL ?=

LIBRARIES := profet empiarreader caked
PROJECTS := pyproject.toml $(LIBRARIES:%=%/pyproject.toml)
EDITABLE := -e ./profet -e ./empiarreader -e "./caked[dask,h5,mdoc,plot,remote,structures,tiff,zarr]"
INSTALL := $(BIN)/uv pip install --python $(BIN)/python

.PHONY: help setup demo test lint types unit test-full bench docs clean
help: ## List the targets.
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(VENV)/uv.ready:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "PERC needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@echo "== setting up: a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@touch $@

# Everything is resolved in one go, so that torchvision is the one that torch's version asks for.
$(VENV)/demo.ready: $(VENV)/uv.ready $(PROJECTS)
	@echo "== setting up: the three libraries and what the examples need (PyTorch is large: some minutes the first time)"
	@$(INSTALL) $(EDITABLE) --group examples
	@$(BIN)/python -W error -c 'import torchvision' || { echo "torch and torchvision do not match; remove $(VENV) and try again" >&2; exit 1; }
	@touch $@

$(VENV)/test.ready: $(VENV)/demo.ready
	@echo "== setting up: linters, type checker, test and documentation tools"
	@$(INSTALL) $(EDITABLE) --group examples --group test --group docs
	@touch $@

setup: $(VENV)/test.ready ## Set up everything in .venv.

demo: $(VENV)/demo.ready ## Run the main job on the embedded archive; pictures and a recipe land in perc_output/.
	@echo "== demo: ids in, training batches out$(if $(REAL), (on the real files of $(REAL)))"
	@$(BIN)/python examples/perc.py --output $(OUTPUT) $(if $(REAL),--real $(REAL))

test: lint types unit ## Lint, type-check and test.

lint: $(VENV)/test.ready ## ruff and the import contracts.
	@echo "== lint"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet . || { echo "some files are not formatted: run $(BIN)/ruff format" >&2; exit 1; }
	@$(BIN)/lint-imports

types: $(VENV)/test.ready ## mypy --strict.
	@echo "== types"
	@$(BIN)/mypy

unit: $(VENV)/test.ready ## The tests and the examples in the docstrings, with coverage.
	@echo "== tests"
	@$(BIN)/python -m pytest -n $(JOBS) --cov --cov-report=term:skip-covered --durations=10
	@$(BIN)/python -m pytest --quiet --doctest-modules $(LIBRARIES:%=%/src) examples/perc_simulation examples/perc_archive examples/perc_learning.py

test-full: $(VENV)/test.ready ## What needs programs beside Python, a fresh clone, or the published originals.
	@echo "== full tests"
	@tests/support/programs.sh
	@$(BIN)/python -m pytest -m full

bench: $(VENV)/test.ready ## Run the side-by-side benchmarks and write their tables.
	@$(BIN)/python -m tests.benchmarks

docs: $(VENV)/test.ready ## Build the documentation, warnings as errors.
	@$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

clean: ## Remove the environment and everything that was built.
	rm -rf $(VENV) .venv-peers .venv-readers .venv-cryodrgn .venv-globus .venv-scipion docs/_build $(OUTPUT) .mypy_cache .ruff_cache .pytest_cache
