# Waage: two commands on a fresh machine are `make run` and `make test`.
STUDY ?= demo
# The first Python that is new enough; a shim that does not run is passed over.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info)' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
READY := .venv/ready
# uv only writes the lock file; setup needs nothing but pip.
UV := uv==0.13.9

.PHONY: help setup run test lint lab pages bench lock clean

help:  ## list every target with one line
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */|/' | awk -F'|' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(READY)  ## set up .venv from the lock file

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer with venv found; install one or set PYTHON=..."; exit 1; }
	@echo "Setting up .venv with $(PYTHON) from requirements.lock (a few minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

run: $(READY)  ## run a study from its sources to its reports (STUDY=demo)
	@if [ "$(STUDY)" = demo ] && [ ! -f data/demo/truth/settings.parquet ]; then $(BIN)/waage demo; fi
	@$(BIN)/waage run $(STUDY)

test: $(READY)  ## run the tests
	@$(BIN)/python -m pytest

lint: $(READY)  ## check style (ruff) and that notebooks carry no outputs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m pytest -q tests/notebooks/test_form.py

lab: $(READY)  ## open JupyterLab with the notebooks
	@$(BIN)/jupyter lab notebooks

pages: $(READY)  ## serve the pages of a study on 127.0.0.1 (STUDY=demo)
	@$(BIN)/waage pages $(STUDY)

bench: $(READY)  ## run the benchmarks
	@$(BIN)/python -m benchmarks

lock: $(READY)  ## renew requirements.lock from pyproject.toml
	@$(BIN)/python -m pip install --quiet $(UV)
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --upgrade \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet --output-file requirements.lock

clean:  ## remove the environment, caches, and what runs produced (sources and raw data stay)
	@rm -rf .venv build lib/*.egg-info .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@rm -rf data/*/tables data/*/state
	@find reports -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} +
