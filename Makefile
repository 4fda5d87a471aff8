# make quickstart   set up, run a small sweep on real ratings, say where the report is
# make test         set up, then formatting, lint, types, import contracts and all tests
# make unit         the quick tests alone, in about a minute
# make bench        how fast it is, against its peers and by itself; alone on the machine, please.
#                   Its parts: bench-sweeps (an hour), bench-step (half a minute),
#                   bench-compiled (1 min), bench-tables (1 min), bench-memory (1 min),
#                   bench-workers (2 min), bench-driver (1 min), bench-start (1 min); and by
#                   itself bench-searches (hours): what each sampler and pruner finds
# make torture      long: kill a study at every write, and real sweeps at random; prints the counts
# make lock         resolve requirements.lock anew (needs uv)

VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& command -v $$p && break; done)

# An environment that works is brought up to date with its own Python, whatever PATH holds today:
# `venv` over another Python's leaves one that is half of each. A PYTHON that is named begins anew.
KEEP := $(if $(filter file,$(origin PYTHON)),$(BIN)/python -c 'import pip; import ssl',false)

BENCHES := bench-sweeps bench-step bench-compiled bench-tables bench-memory bench-workers \
	bench-driver bench-start bench-searches

.PHONY: quickstart test unit bench $(BENCHES) torture setup lock clean

quickstart: $(READY)
	@$(BIN)/recsweep run quickstart

# Side by side: unlike those on Ray, these tests share nothing.
ASIDE  := --numprocesses auto --maxprocesses 8 --dist loadscope

test: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -m "not ray" $(ASIDE)
	$(BIN)/python -m pytest -m "ray and not long"

unit: $(READY)
	$(BIN)/python -m pytest -m "not ray and not slow" $(ASIDE)

bench: bench-step bench-compiled bench-tables bench-driver bench-start bench-memory bench-workers bench-sweeps

bench-sweeps: $(READY)
	$(BIN)/python -m tests.benchmarks.sweeps --repeats 3 --trials 40 --epochs 10

bench-step bench-compiled bench-tables bench-driver bench-start bench-memory bench-workers bench-searches: bench-%: $(READY)
	$(BIN)/python -m tests.benchmarks.$*

torture: $(READY)
	$(BIN)/python -m pytest -m long
	$(BIN)/python -m tests.torture

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "recsweep needs Python 3.11, 3.12 or 3.13; none was found. Name one: make PYTHON=/path/to/python3.12" >&2; exit 2; }
	@$(KEEP) 2>/dev/null || { \
		echo "Setting up $(VENV) with $(PYTHON): about 3 GB, one to five minutes"; \
		$(PYTHON) -m venv --clear $(VENV); }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

# The lock holds the build backend too: an editable install without build isolation needs it.
lock:
	printf 'hatchling>=1.27\neditables>=0.5\n' | uv pip compile --universal --upgrade --generate-hashes \
		--no-annotate --no-header --no-emit-index-url --python-version 3.11 \
		--extra data --extra test pyproject.toml - -o requirements.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
