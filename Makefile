# quantwatch: `make` alone lists what there is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV_VERSION := 0.13.9
DOWN := 3 GB
DISK := 6.1 GB
ENGINES := .venv-engines
KILL_RUNS ?= 200
KILL_SEED ?= 0
OUTAGE_SECONDS ?= 300
WHEELS ?= $(HOME)/.cache/quantwatch-engines
LLAMA_CPP := -DGGML_OPENMP=OFF -DLLAVA_BUILD=OFF -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF

# After set-up nothing reaches for the network, and idle threads do not spin.
export HF_HUB_OFFLINE := 1
export HF_HUB_DISABLE_TELEMETRY := 1
export OMP_WAIT_POLICY := PASSIVE

.DEFAULT_GOAL := help
.PHONY: help install system demo demo-kafka test test-golden test-kill test-sim test-outages test-engines check fix docs pages lock bench bench-detection bench-stream model signals-report clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "PYTHON=…       the Python to start from (3.11 or newer); now: $(PYTHON)"
	@echo "TORCH_INDEX=…  a package index of your own that has CPU-only builds of torch"
	@echo "NO_SYSTEM=1    keeps make test from installing anything on this machine"

install: $(STAMP) ## make .venv with everything, from the lock

$(STAMP): requirements.lock pyproject.toml
	@if [ -n "$(TORCH_INDEX)" ]; then \
		echo "make install: downloads the packages of requirements.lock, torch from TORCH_INDEX, into $(VENV)"; \
	elif [ "$$(uname -sm)" = "Linux x86_64" ]; then \
		echo "make install: downloads about $(DOWN) and needs about $(DISK) on disk, most of it torch's CUDA packages"; \
		echo "              (TORCH_INDEX=URL takes torch from an index of yours with CPU-only builds, without them)"; \
	else \
		echo "make install: downloads the packages of requirements.lock, torch among them, into $(VENV)"; \
	fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "make install: needs Python 3.11 or newer, and $(PYTHON) is none; name one: make install PYTHON=python3.11" >&2; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "make install: $(PYTHON) cannot make environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@if [ -n "$(TORCH_INDEX)" ]; then \
		awk '/^[a-z0-9]/ { out = /^(torch|triton)==|^(nvidia|cuda)-/ } !out' requirements.lock >$(VENV)/without-torch.lock && \
		$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes $(VENV)/without-torch.lock && \
		$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --index-url "$(TORCH_INDEX)" \
			"$$(sed -n 's/^\(torch==[0-9.]*\).*/\1/p' requirements.lock)"; \
	else \
		$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock; \
	fi
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@
	@echo "make install: $(BIN)/quantwatch is ready"

system: # what tests need from the operating system: a Chromium, what a Kafka broker is got with, a PostgreSQL
	@found() { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null; \
	if found; then exit 0; fi; \
	if [ -z "$(NO_SYSTEM)" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "make test: installs chromium with apt-get (NO_SYSTEM=1 keeps it from that)"; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } \
			>/dev/null || echo "make test: apt-get failed" >&2; \
	fi; \
	found || echo "make test: no Chromium, so the browser tests are skipped; install the package chromium" >&2
	@broker() { [ -n "$$KAFKA_BOOTSTRAP_SERVERS" ] || command -v kafka-server-start.sh || \
		{ command -v java && command -v mvn; }; } >/dev/null; \
	if broker; then exit 0; fi; \
	if [ -z "$(NO_SYSTEM)" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "make test: installs a JDK and maven with apt-get (NO_SYSTEM=1 keeps it from that)"; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless maven; } \
			>/dev/null || echo "make test: apt-get failed" >&2; \
	fi; \
	broker || echo "make test: no Kafka, so its tests are skipped; install openjdk-17-jre-headless and maven" >&2
	@database() { [ -n "$$DATABASE_URL" ] || command -v initdb || ls /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1; \
	if database; then exit 0; fi; \
	if [ -z "$(NO_SYSTEM)" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "make test: installs postgresql with apt-get (NO_SYSTEM=1 keeps it from that)"; \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -qq --no-install-recommends postgresql; } \
			>/dev/null || echo "make test: apt-get failed" >&2; \
	fi; \
	database || echo "make test: no PostgreSQL, so its tests are skipped; install the package postgresql" >&2

demo: install ## see it find real drift on this machine
	@$(BIN)/quantwatch demo

demo-kafka: install system ## the same through a real Kafka and PostgreSQL; DEMO=--headless for scripts
	@$(BIN)/python -m deploy.local sh -c 'exec $(BIN)/quantwatch demo --kafka "$$QUANTWATCH_KAFKA" --db "$$QUANTWATCH_DB" $(DEMO)'

# Tests with a broker or a server wait most of their time: they run beside the others, and what they say comes after.
test: install system ## run all tests; what they need and lack is said at the end
	@$(BIN)/python -m deploy.local --fetch || true
	@said=$$(mktemp); $(BIN)/python -m pytest -m "kafka or postgres or beside" --durations=8 >"$$said" 2>&1 & \
	$(BIN)/python -m pytest -m "not kafka and not postgres and not beside"; rest=$$?; wait $$!; servers=$$?; \
	echo; echo "make test: with Kafka and PostgreSQL, and simulated"; cat "$$said"; rm "$$said"; exit $$((rest || servers))

test-golden: install system ## one log through a file, HTTP and Kafka, in all batch sizes, one worker and four: all equal
	@$(BIN)/python -m deploy.local --fetch || true
	@GOLDEN=all $(BIN)/python -m pytest tests/integration/stream/test_three_paths.py

test-sim: install ## run workers, evaluator, dispatcher on a virtual clock, SIM_SEEDS=2000 times; SIM_SEED=N repeats one
	@$(BIN)/python -m tests.sim $(if $(SIM_SEED),--seed $(SIM_SEED),--seeds $(or $(SIM_SEEDS),2000))

test-kill: install system ## kill everything at random moments, KILL_RUNS=200 times; KILL_SEED=N is where seeds begin
	@$(BIN)/python -m deploy.local --fetch || true
	@KILL_RUNS=$(KILL_RUNS) KILL_SEED=$(KILL_SEED) $(BIN)/python -W ignore -m tests.kill

test-outages: install system ## broker and database away for OUTAGE_SECONDS=300, and the database's disk full
	@$(BIN)/python -m deploy.local --fetch || true
	@OUTAGE_SECONDS=$(OUTAGE_SECONDS) $(BIN)/python -m pytest tests/integration/stream/test_outages.py \
		tests/integration/postgres/test_down.py tests/integration/postgres/test_disk_full.py

test-engines: install $(ENGINES)/.installed ## from logs to verdicts with real llama.cpp servers, which it builds
	@$(BIN)/python -m pytest tests/engines/llamacpp.py --timeout 3000

$(ENGINES)/.installed: tests/engines/requirements.txt | $(STAMP)
	@command -v c++ >/dev/null || { \
		echo "make test-engines: needs a C++ compiler; on Debian and Ubuntu: apt install g++" >&2; exit 1; }
	@$(PYTHON) -m venv $(ENGINES)
	@awk '/^[a-z0-9]/ { out = /^llama-cpp-python==/ } !out' $< >$(ENGINES)/others.txt
	@awk '/^[a-z0-9]/ { out = !/^llama-cpp-python==/ } !out && !/^#/' $< >$(ENGINES)/llama.txt
	@$(BIN)/uv pip sync --quiet --python $(ENGINES)/bin/python --require-hashes $(ENGINES)/others.txt
	@wheel() { ls $(WHEELS)/llama_cpp_python-$$(sed -n 's/^llama-cpp-python==\([0-9.]*\).*/\1/p' $<)-*.whl 2>/dev/null; }; \
	wheel >/dev/null || { \
		echo "make test-engines: builds llama.cpp into $(WHEELS), once; a quarter of an hour on two idle cores"; \
		CMAKE_ARGS="$(LLAMA_CPP)" nice $(ENGINES)/bin/python -m pip wheel --quiet --disable-pip-version-check \
			--no-deps --require-hashes -r $(ENGINES)/llama.txt -w $(WHEELS); } && \
	$(BIN)/uv pip install --quiet --python $(ENGINES)/bin/python --no-deps $$(wheel | tail -n 1)
	@touch $@

check: install ## format, lint, types, imports, migrations; edits nothing
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	@echo "alembic check on a fresh SQLite"
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
		$(BIN)/alembic -x url="sqlite:///$$dir/fresh.db" upgrade head && \
		$(BIN)/alembic -x url="sqlite:///$$dir/fresh.db" check
	@echo "make check: all holds"

fix: install ## format, repair what ruff can, rewrite the generated parts of the docs
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	@$(MAKE) --no-print-directory docs

docs: install ## rewrite the generated parts of the docs
	@$(BIN)/python -m tests.unit.project.helptexts

pages: install ## run docs/first-hour.md and docs/numbers.md and write what their commands print
	@$(BIN)/python -m tests.first_hour.page

lock: install ## resolve pyproject.toml into requirements.lock; UPGRADE=1 takes the newest of everything
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--all-extras --group dev --group train --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) \
		pyproject.toml -o requirements.lock

bench: install ## measure ingestion: docs/benchmarks/ingest.md
	@$(BIN)/python -m tests.bench.ingest
	@$(BIN)/python -m tests.unit.project.helptexts

bench-detection: install ## measure delay and false alarms of the evidence: docs/benchmarks/detection.md
	@$(BIN)/python -m tests.bench.detection

bench-stream: install ## measure the stream worker on a real Kafka and PostgreSQL: docs/benchmarks/stream.md
	@$(BIN)/python -m tests.bench.stream
	@$(BIN)/python -m tests.unit.project.helptexts

model: install ## train the small model anew: about half an hour; docs/model.md says what follows
	@$(BIN)/python -m shadow.training.train

signals-report: install ## measure the signals that read language: docs/signals.md
	@$(BIN)/python -m monitor.training.evaluate

clean: ## remove the environment and all caches
	rm -rf $(VENV) $(ENGINES) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find monitor services shadow dashboard migrations tests -name __pycache__ -type d -prune -exec rm -rf {} +
