# medqa: `make demo` and `make test` do all set-up themselves.
# Needs Python 3.11 or newer with pip; on Debian, as root, missing system packages are installed by apt.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
# More arguments for installing torch, e.g. an --index-url with CPU-only builds (the default build for Linux brings CUDA along).
TORCH_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check -q
MEDQA := $(BIN)/medqa
CONFIG ?= configs/nano-cpu.yaml

.DEFAULT_GOAL := help
.PHONY: help setup demo chat test lint format clean

help: ## show this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv and install everything (torch first, pinned)

$(STAMP): pyproject.toml constraints.txt
	@echo "setup: virtual environment in $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { [ "$$(id -u)" = 0 ] && apt-get update -q && apt-get install -y -q --no-install-recommends python3-venv && $(PYTHON) -m venv $(VENV); } || \
	  { echo "setup: wanted a Python with the venv module, found none; on Debian: apt install python3-venv" >&2; exit 2; }
	@echo "setup: torch, pinned (1/2)"
	@$(PIP) install $(TORCH_ARGS) "$$(grep '^torch==' constraints.txt)"
	@echo "setup: everything else (2/2)"
	@$(PIP) install -c constraints.txt -e ".[all]"
	@touch $(STAMP)

demo: $(STAMP) ## the main job on the embedded sample: ingest, index, fine-tune, evaluate, show
	@$(BIN)/python -m medqa.demo --config $(CONFIG)

chat: $(STAMP) ## open the chat on the demo's artefacts
	@$(MEDQA) chat --config $(CONFIG) --offline

test: $(STAMP) ## run every test that this machine can run
	@command -v chromium >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || \
	  { echo "setup: Chromium for the browser tests"; apt-get update -q && apt-get install -y -q --no-install-recommends chromium fonts-dejavu-core; } >/dev/null || \
	  echo "setup: no Chromium; the browser tests will be skipped"
	@HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

lint: $(STAMP) ## ruff and mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

format: $(STAMP) ## let ruff rewrite the code
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

clean: ## remove what make made (not the virtual environment)
	rm -rf runs build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
