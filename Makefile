# Two commands do everything: `make demo` and `make test`. Both set up first, quickly when nothing
# changed. PYTHON is the interpreter that the virtual environment is made with (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
OUTPUT ?= demo
# Real data beside the clone, where the tests look for them, too.
SUITES := $(wildcard ../shared/data)
KEPT := --json benchmarks/results/speed.json
EXPERIMENTS := $(patsubst experiments/%/experiment.py,%,$(wildcard experiments/*/experiment.py))

.PHONY: help setup demo test quick lower-bounds lint bench docs experiments wheel clean

help:
	@echo "make demo         set up, then audit, train and prove in $(OUTPUT)/: two minutes, no network"
	@echo "make test         set up, then run every test, the slow ones too"
	@echo "make quick        set up, then run the quick tests"
	@echo "make lower-bounds the quick tests with the oldest torch and transformers, in .venv-lower"
	@echo "make lint         ruff, the type checker, the layers"
	@echo "make docs         the documentation site, strictly"
	@echo "make bench        benchmarks of speed, into benchmarks/results/speed.json and .md"
	@echo "make experiments  every experiment behind the tables of the documentation (days)"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)
	SUREFOOT_SUITES="$${SUREFOOT_SUITES-$(SUITES)}" $(BIN)/surefoot demo --output $(OUTPUT) --overwrite

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal

quick: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

lower-bounds:
	$(PYTHON) scripts/lower_bounds.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(STAMP)
	$(BIN)/python docs/_ext/refresh.py
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

bench: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.heads $(KEPT)
	$(BIN)/python -m benchmarks.heads $(KEPT)
	$(BIN)/python -m benchmarks.embedding $(KEPT)
	$(BIN)/python -m benchmarks.trainer $(KEPT)
	$(BIN)/python -m benchmarks.trainer --reference live $(KEPT)
	$(BIN)/python -m benchmarks.trainer --bf16 $(KEPT)
	$(BIN)/python -m benchmarks.trainer --task reward $(KEPT)
	$(BIN)/python -m benchmarks.trainer --task reward --bf16 $(KEPT)

experiments: $(STAMP)
	for name in $(EXPERIMENTS); do OMP_NUM_THREADS=1 $(BIN)/python -m experiments $$name || exit; done

wheel: $(STAMP)
	$(BIN)/python -m build --wheel --no-isolation --outdir dist

clean:
	rm -rf $(VENV) .venv-lower build dist docs/_build
