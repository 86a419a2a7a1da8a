# Every target sets itself up: Python 3.11 or newer, pip and make are enough.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Percent of lines and branches that the fast tests run. Raise it when the measured figure rises.
COVERAGE := 94

.PHONY: demo test parity editors check lint types layers generated docs clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch $(READY)

demo: $(READY)  ## compile, train, evaluate and report on data that ships with the project
	$(BIN)/flancompile demo --out demo

test: $(READY)  ## all tests: the fast ones with their coverage, then the slow ones
	@status=0; \
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow" \
		--cov=flancompile --cov-fail-under=$(COVERAGE) || status=1; \
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow || status=1; \
	exit $$status

parity: $(READY)  ## bring torch, transformers and lm_eval's task files: their tests run then
	$(BIN)/python -m pip install --quiet "torch==2.13.0"
	$(BIN)/python -m pip install --quiet -c constraints.txt "transformers>=5,<6"
	$(BIN)/python -m pip install --quiet --no-deps "lm_eval>=0.4.9,<0.5"

editors:  ## bring the YAML language server, so that the tests of our schemas in it run
	npm install --silent --no-audit --no-fund --no-package-lock --no-save --prefix .node \
		"yaml-language-server@^1.19"

check: $(READY) lint types layers  ## the quick loop: lint, types, layers, fast tests
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## mypy on the package and the tests
	$(BIN)/mypy

layers: $(READY)
	$(BIN)/lint-imports

generated: $(READY)  ## write schemas/ and the generated pages of docs/ from the code
	$(BIN)/flancompile schema --out schemas
	$(BIN)/flancompile schema --keys > docs/keys.md
	$(BIN)/flancompile schema --expressions > docs/expressions.md
	$(BIN)/flancompile schema --api > docs/api.md

docs: $(READY)  ## build docs/ as a web site in docs/_build, without network
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs docs/_build

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist docs/_build
