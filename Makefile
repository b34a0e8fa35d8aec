# Each target works from a clean clone: it makes the virtual environment that it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STORE ?= runs/open

.PHONY: run test quick system lint typecheck docs bench install clean

run: $(VENV)/installed ## the main job: collage on all 50 cases, leaderboard and contact sheet
	$(BIN)/a2bench run --model collage --suite a2bench-open --store $(STORE)
	$(BIN)/a2bench leaderboard $(STORE) --out $(STORE)/leaderboard.csv
	$(BIN)/a2bench sheet $(STORE) --out $(STORE)/sheet.png

test: lint typecheck system ## lint, types, and all tests, with the share of lines that they run
	$(BIN)/python -m pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder --cov --cov-report=term:skip-covered

quick: $(VENV)/installed-dev ## the tests that start no process, browser or database server
	$(BIN)/python -m pytest -m "not slow" --numprocesses 2 --dist loadscope

system: ## Debian's browser and database server, which tests of the user study start
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null \
	    && ls /usr/lib/postgresql/*/bin/postgres >/dev/null \
	    || { apt-get update -qq && apt-get install -qq -y chromium chromium-driver postgresql; }

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

typecheck: $(VENV)/installed-dev
	$(BIN)/mypy

docs: $(VENV)/installed-dev ## the documentation as a site in build/site, without a network; a test of `make test` builds it, too
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(VENV)/installed-dev system ## seconds a video for decoding, features and each metric; RAFT beside its peer; raters at once; 500 videos by chance; coverage of intervals; the loop and the store at 100,000 cases; a report
	$(BIN)/python -m benchmarks.run_loop
	$(BIN)/python -m benchmarks.raft
	$(BIN)/python -m benchmarks.study
	$(BIN)/python -m benchmarks.videos
	$(BIN)/python -m benchmarks.coverage
	$(BIN)/python -m benchmarks.store
	$(BIN)/python -m benchmarks.report

$(VENV)/installed: pyproject.toml requirements-cpu.txt constraints-cpu.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --requirement requirements-cpu.txt
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --constraint constraints-cpu.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
