# One command a chore. Each makes .venv first if there is none.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Environments of their own, so that nothing of them gets into the pinned one.
AUDIT := .venv-audit
NEWEST := .venv-newest

.PHONY: help install browser try demo test test-all test-newest audit docs fuzz soak bench lint clean

help:
	@echo "make try    ask the model that comes with mmris about a few pictures: within a minute after the install"
	@echo "make demo   make ShapeRef, train CM-MaskSD on it, evaluate and draw predictions"
	@echo "make test   lint and tests, in a quarter of an hour on two cores"
	@echo "make test-all   the slow tests too, as CI does; installs Chromium where it is missing"
	@echo "make test-newest   the tests of make test with the newest packages that the requirements allow"
	@echo "make docs   the documentation's site, in docs/_build/html; a link or name that leads nowhere fails"
	@echo "make audit  known vulnerabilities of the pinned packages, as pip-audit finds them; needs pypi.org"
	@echo "make fuzz   whatever reads files of strangers gets damaged ones, for an hour on two cores; SECONDS=120 a reader"
	@echo "make soak   a training for MINUTES=30, and REQUESTS=10000 questions to the web page: does anything grow?"
	@echo "make bench  the ratios of docs/benchmarks.md, in 45 minutes on one idle core; BRIEF=1 make bench: five"
	@echo "make lint   style alone"
	@echo "make clean  remove the environment and all results"
	@echo "PYTHON=python3.13 make test   with another interpreter (3.11 to 3.14)"

install: $(VENV)/installed

$(VENV)/installed: setup.py requirements/maintained_stack.txt requirements/tests.txt requirements/release.txt requirements/parity.txt requirements/runtime.txt requirements/constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 14) else f"mmris needs Python 3.11 to 3.14, but $(PYTHON) is {v[0]}.{v[1]}. Choose one: make PYTHON=python3.13 ...")'
	@echo 'Installing the pinned packages into $(VENV): two or three minutes.'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt -r requirements/maintained_stack.txt -r requirements/tests.txt -r requirements/release.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -c requirements/constraints.txt -r requirements/parity.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt -e .
	@touch $@

browser:
	@if ! command -v chromium > /dev/null; then \
	    echo 'Installing Chromium, in which the web page is tested.'; \
	    { apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium > /dev/null; } || \
	    { echo "There is no Chromium to test the web page in. Install Debian's as root: apt-get install chromium"; exit 1; }; \
	fi

try: install
	$(BIN)/mmris try

demo: install
	$(BIN)/mmris demo

test: install lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile -m "not slow"

test-all: install browser lint docs
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

# Without constraints.txt, and made anew each time.
test-newest:
	@rm -rf $(NEWEST)
	@$(PYTHON) -m venv $(NEWEST)
	@echo 'Installing the newest packages into $(NEWEST): several minutes.'
	@$(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/maintained_stack.txt -r requirements/tests.txt -r requirements/release.txt -e .
	@$(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/parity.txt
	OMP_NUM_THREADS=1 $(NEWEST)/bin/python -m pytest -n auto --maxprocesses 4 --dist loadfile -m "not slow"

# Without --strict, packages that an index does not know pass for sound: a mirror knows no vulnerabilities.
audit: $(AUDIT)/installed
	$(AUDIT)/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off -r requirements/constraints.txt

$(AUDIT)/installed:
	@$(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	@touch $@

docs: install
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt -r requirements/docs.txt
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs docs/_build/html
	@echo 'The site begins at docs/_build/html/index.html.'

fuzz: install
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt -r requirements/fuzz.txt
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzzing --seconds $(or $(SECONDS),120) --jobs 2 --corpus work_dirs/fuzzing

# Both run to the end, whatever the first finds.
soak: install
	@status=0; export OMP_NUM_THREADS=1; \
	$(BIN)/python -m tests.soak.training --minutes $(or $(MINUTES),30) || status=1; \
	$(BIN)/python -m tests.soak.web_page --requests $(or $(REQUESTS),10000) || status=1; exit $$status

bench: install
	OMP_NUM_THREADS=1 $(BIN)/mmris benchmark $(if $(BRIEF),--brief --out work_dirs/bench_brief.json,--out bench.json --docs docs/benchmarks.md)

lint: install
	$(BIN)/python -m ruff check .

clean:
	rm -rf $(VENV) $(AUDIT) $(NEWEST) docs/_build work_dirs data/shaperef
