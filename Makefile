# Two commands do everything: `make demo` and `make test`. Both set up first, quickly when nothing
# changed. PYTHON is the interpreter that the virtual environment is made with (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
OUTPUT ?= demo

.PHONY: help setup demo test quick lint bench docs experiments wheel clean

help:
	@echo "make demo         set up, then run the demo into $(OUTPUT)/ (needs no network after set-up)"
	@echo "make test         set up, then run every test, the slow ones too"
	@echo "make quick        set up, then run the quick tests"
	@echo "make lint         ruff, the type checker, the layers"
	@echo "make docs         the documentation site, strictly"
	@echo "make bench        benchmarks, printed as ratios"
	@echo "make experiments  the experiments behind the README's tables"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/surefoot demo --output $(OUTPUT) --overwrite

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal

quick: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(STAMP)
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

bench: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/heads.py
	$(BIN)/python benchmarks/heads.py
	$(BIN)/python benchmarks/embedding.py
	$(BIN)/python benchmarks/trainer.py
	$(BIN)/python benchmarks/trainer.py --reference live
	$(BIN)/python benchmarks/trainer.py --bf16
	$(BIN)/python benchmarks/trainer.py --task reward
	$(BIN)/python benchmarks/trainer.py --task reward --bf16

experiments: $(STAMP)
	$(BIN)/python experiments/hh.py experiments/hh.yaml
	OMP_NUM_THREADS=1 $(BIN)/python experiments/hh_language.py experiments/hh_language.yaml
	OMP_NUM_THREADS=1 $(BIN)/python experiments/control_variate.py experiments/control_variate.yaml
	OMP_NUM_THREADS=1 $(BIN)/python experiments/regret.py experiments/regret.yaml
	OMP_NUM_THREADS=1 $(BIN)/python experiments/policy_value.py experiments/policy_value.yaml
	OMP_NUM_THREADS=1 $(BIN)/python experiments/convincing.py experiments/convincing.yaml
	OMP_NUM_THREADS=1 $(BIN)/python experiments/debates.py experiments/debates.yaml
	OMP_NUM_THREADS=1 $(BIN)/python experiments/shares.py experiments/shares.yaml
	OMP_NUM_THREADS=1 $(BIN)/python experiments/noise_and_shift.py experiments/noise_and_shift.yaml
	OMP_NUM_THREADS=1 $(BIN)/python experiments/out_of_distribution.py experiments/out_of_distribution.yaml
	OMP_NUM_THREADS=1 $(BIN)/python experiments/wasserstein.py experiments/wasserstein.yaml
	OMP_NUM_THREADS=1 $(BIN)/python experiments/hh_references.py experiments/hh_references.yaml
	OMP_NUM_THREADS=1 $(BIN)/python experiments/sentiment.py experiments/sentiment.yaml
	OMP_NUM_THREADS=1 $(BIN)/python experiments/online.py experiments/online.yaml
	OMP_NUM_THREADS=1 $(BIN)/python experiments/overoptimisation.py experiments/overoptimisation.yaml
	OMP_NUM_THREADS=1 $(BIN)/python experiments/risk_solver.py experiments/risk_solver.yaml
	OMP_NUM_THREADS=1 $(BIN)/python experiments/dual.py experiments/dual.yaml

wheel: $(STAMP)
	$(BIN)/python -m build --wheel --no-isolation --outdir dist

clean:
	rm -rf $(VENV) build dist docs/_build
