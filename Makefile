# `make tables` and `make test` work on a bare checkout: they need Python 3.11 or later, and make.

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PYTHONUNBUFFERED := 1

.DEFAULT_GOAL := help
.PHONY: help tables test slow coverage check bench images lock clean

FAST := not slow and not browser and not paper
# One process per core, one thread per process (tests/parallel.py).
PARALLEL := -n auto --dist loadgroup --no-loadscope-reorder
# .ci/run adds those of the report's page, for which it installs a browser.
LONG := slow
# Claims of speed, at most a quarter of an hour each. What else is in benchmarks/ studies something
# else, and is run by its name.
SPEED := download evaluate memory start steps synthetic train waiting

help: ## Explain the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

tables: $(READY) ## Rebuild all results, several runs at once, print Tables 1-4 (RUNS="...": of Tables 2-4 these)
	reidpipe spread $$(reidpipe show table1 --targets)
	@reidpipe show table1
	reidpipe spread $(RUNS)
	@for table in table1 table2 table3 table4; do reidpipe show $$table || exit; done
	@reidpipe reproduced

test: $(READY) ## Run the tests (under 5 minutes on 2 cores; make slow has the long ones)
	pytest $(PARALLEL) -m "$(FAST)"

slow: $(READY) ## Run the long tests: whole pipelines in clones, kills (40 minutes on 2 cores)
	pytest $(PARALLEL) -m "$(LONG)"

coverage: $(READY) ## The tests of make test, and the lines and branches that they miss (slower)
	pytest $(PARALLEL) -m "$(FAST)" --cov

check: $(READY) ## ruff, mypy, import-linter, deptry
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	deptry .

bench: $(READY) ## Measure every claim of speed: a JSON line each
	@for name in $(SPEED); do timeout 15m python benchmarks/$$name.py || exit 1; done

images: $(READY) ## Redraw the README's pictures from reports/figures (synthetic people only)
	python docs/images/draw.py

lock: ## Resolve pyproject.toml anew into requirements.lock (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
	    --extra dev --extra index --extra onnx --extra openvino --extra spread pyproject.toml --output-file requirements.lock

clean: ## Remove the environment (data, runs and the DVC cache stay)
	rm -rf $(VENV)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	    { echo "error: Python 3.11 or later is needed, found: $$($(PYTHON) --version 2>&1). Name one: make PYTHON=python3.11 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
