# The verbs of this repository. `make` alone lists them.
PYTHON ?= python3
# More arguments for the line that installs torch, such as --index-url https://download.pytorch.org/whl/cpu
TORCH_ARGS ?=

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# This mode puts the clone on sys.path. In setuptools' own mode, a script beside a clone that is called metarl would import
# the clone's folder as an empty namespace package.
EDITABLE := --config-settings editable_mode=compat

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-slow lint types bench clean

help: ## list these verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.stamp ## make .venv with everything that development needs (PYTHON=python3.12 to choose)

demo: setup ## the shortest complete use: train a little, adapt, report
	$(BIN)/metarl demo

test: setup ## the quick tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist loadgroup

test-slow: setup ## the tests marked slow
	$(BIN)/python -m pytest -q -m slow

lint: setup ## ruff: rules and format; import-linter: imports point one way
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-cache

types: setup ## pyright
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --project pyproject.toml  # not one of a folder above

bench: .venv/.stamp-bench ## measure speed beside bare physics and other libraries
	$(BIN)/python -m metarl.benchmarks.dev_speed robots

clean: ## remove .venv, builds and caches; runs/ stays
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find metarl envs agents benchmarks tests -name __pycache__ -type d -prune -exec rm -rf {} +

# torch is installed first and alone, so that pip takes an available CPU build and resolves the rest around it.
.venv/.stamp: pyproject.toml constraints.txt agents/networks/gru_loops.c
	@command -v $(PYTHON) >/dev/null || { echo "metarl needs Python 3.11 or newer; '$(PYTHON)' was not found. Choose one with: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "metarl needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Choose one with: make setup PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "making .venv with $$($(PYTHON) -V); the first time this takes some minutes"; $(PYTHON) -m venv .venv; }
	$(PIP) $(TORCH_ARGS) torch
	$(PIP) $(EDITABLE) -e '.[dev]'
	@touch $@

.venv/.stamp-bench: .venv/.stamp
	$(PIP) $(EDITABLE) -e '.[bench]'
	@touch $@
