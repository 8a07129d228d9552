# Copydesk's commands. `make` lists them.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/ready

.DEFAULT_GOAL := help
.PHONY: help setup demo up doctor test test-unit check format bench clean

help: ## List what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(READY) ## Build .venv with everything that is needed (the others call it)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Copydesk needs Python 3.11 or newer: make PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[all,dev]'
	touch $(READY)

demo: $(READY) ## Run the main job from end to end on embedded parts; results in var/demo
	$(BIN)/copydesk demo

up: $(READY) ## Run broker, worker, beat and Flower until Ctrl-C
	$(BIN)/copydesk model pull
	$(BIN)/copydesk up

doctor: $(READY) ## Check every part, with remedies
	$(BIN)/copydesk doctor

test: $(READY) ## Run all tests; those that need services start them
	$(BIN)/pytest

test-unit: $(READY) ## Run the tests that need no service: seconds
	$(BIN)/pytest tests/unit

check: $(READY) ## Lint, format, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## Format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) ## Run the benchmarks on an idle machine (half an hour); docs/benchmarks.md explains them
	for name in engines pipeline overhead lanes; do $(BIN)/python benchmarks/$$name.py || exit 1; done

clean: ## Remove what the demo and the tests left; keeps .venv and pulled models
	rm -rf var/demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache dist build
