# make demo and make test set everything up by themselves: a virtual environment in the checkout, installation, the job.
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check install -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test slow check docs docs-generated conformance clean

help:
	@echo "make demo   train the demo (about two minutes) and write overmix-demo/report.html"
	@echo "make test   run the tests, but for the slow ones"
	@echo "make slow   run the slow tests: processes that are killed, whole experiments, coverage of intervals"
	@echo "make check  lint, types, import rules, doctests"
	@echo "make docs   build the documentation into site/; any warning fails"
	@echo "make conformance   hold every integration against a plain loop, and write the table (minutes)"
	@echo "make docs-generated   write the parts of README and docs that are made from results/"

demo: $(VENV)/.study-installed
	$(VENV)/bin/overmix demo

test: $(VENV)/.dev-installed
	$(VENV)/bin/python -m pytest -n auto --dist worksteal -m "not browser and not slow"

slow: $(VENV)/.dev-installed
	$(VENV)/bin/python -m pytest -n auto --dist worksteal -m "slow and not browser"

check: $(VENV)/.dev-installed
	$(VENV)/bin/ruff check --no-cache .
	$(VENV)/bin/ruff format --no-cache --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/python -m pytest -q --doctest-modules src/overmix tools --ignore tools/docstring_examples.py

# Without -q: it hides warnings from --strict too.
docs: $(VENV)/.dev-installed
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict

docs-generated: $(VENV)/.dev-installed
	$(VENV)/bin/python -m tools

conformance: $(VENV)/.dev-installed
	$(VENV)/bin/python -m tools.conformance

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit("overmix needs Python 3.10 or newer; name one: make PYTHON=python3.11") if sys.version_info < (3, 10) else 0'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.study-installed: $(VENV)/.created pyproject.toml constraints.txt
	$(PIP) -e '.[study]'
	@touch $@

# One installation, not one extra after the other: each builds the package and looks at all the dependencies again.
$(VENV)/.dev-installed: $(VENV)/.created pyproject.toml constraints.txt
	$(PIP) -e '.[dev,docs]'
	@touch $(VENV)/.study-installed $@

clean:
	rm -rf $(VENV) site dist overmix-demo
