# `make tables` and `make test` work on a bare checkout: they need Python 3.11 or later, and make.

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help tables test coverage check bench images lock clean

FAST := not slow and not browser
# A process a core, a thread each (tests/parallel.py).
PARALLEL := -n auto --dist loadgroup --no-loadscope-reorder

help: ## Explain the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

tables: $(READY) ## Rebuild all results (dvc repro) and print Tables 1-4
	dvc repro
	@cat reports/tables/table1.md reports/tables/table2.md reports/tables/table3.md reports/tables/table4.md

test: $(READY) ## Run the tests (under 10 minutes on 2 cores; .ci/run has the long ones)
	pytest $(PARALLEL) -m "$(FAST)"

coverage: $(READY) ## The same tests, and the lines and branches that they miss (slower)
	pytest $(PARALLEL) -m "$(FAST)" --cov

check: $(READY) ## ruff, mypy, import-linter, deptry
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	deptry .

bench: $(READY) ## Measure every claim of speed: a JSON line each
	@for script in benchmarks/*.py; do python $$script || exit 1; done

images: $(READY) ## Redraw the README's pictures from reports/figures (synthetic people only)
	python docs/images/draw.py

lock: ## Resolve pyproject.toml anew into requirements.lock (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
	    --extra dev --extra onnx pyproject.toml --output-file requirements.lock

clean: ## Remove the environment (data, runs and the DVC cache stay)
	rm -rf $(VENV)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	    { echo "error: Python 3.11 or later is needed, found: $$($(PYTHON) --version 2>&1). Name one: make PYTHON=python3.11 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
