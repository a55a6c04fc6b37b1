# make demo: set up and run the main job on real photos.  make test: set up and pass the tests.
# make fuzz: the tests of hostile input, on examples nobody has tried.
PYTHON ?= python3.11
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test lint tests fuzz bench setup

# pip would compile 19,000 modules, one after another, for 42 s of its 63; a quarter of them is ever imported
setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=24"
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt -e ".[jobs,telegram,discord,dev]"
	$(BIN)/atelier weights pull
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -c "import core.studio, core.engines.redress.engine"
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/python -m tools.demo

test: $(STAMP)
	$(MAKE) --jobs 2 lint tests

# two processes: with three the suite took 15 min 27 s on two cores, they wait for each other; compiled files are kept for what they start
tests: $(STAMP)
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fuzz: $(STAMP)
	$(BIN)/python -m pytest -q -n 2 -m hypothesis --hypothesis-profile=fuzz

bench: $(STAMP)
	$(BIN)/python -m tools.bench
