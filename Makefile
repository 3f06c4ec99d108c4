# make demo: train on a small real table.  make test: all tests.  Both make their own virtual environment in .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: demo test test-sklearn tiny check bench clean

.venv/made:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'netwright needs Python 3.11 or newer')"
	$(PYTHON) -m venv .venv
	touch $@

.venv/installed: .venv/made pyproject.toml
	$(PIP) install -e .
	touch $@

.venv/installed-dev: .venv/installed
	$(PIP) install -e '.[dev]'
	touch $@

demo: .venv/installed
	mkdir -p demo
	$(BIN)/netwright train examples/penguins.csv --target species --model demo/penguins.safetensors --report demo/penguins.html
	$(BIN)/netwright predict demo/penguins.safetensors examples/penguins.csv --output demo/predictions.csv
	head -n 4 demo/predictions.csv
	@echo "The model, its report and the predictions are in demo/. Open demo/penguins.html in a browser."

# One worker a core takes what another has left; BLAS's threads would only fight for the same cores.
test: .venv/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal
	$(MAKE) test-sklearn

# scikit-learn's own tests of its MLP, with ours in its place; tests/sklearn_suite/ says how.
test-sklearn: .venv/installed-dev
	PYTHONPATH=tests/sklearn_suite $(BIN)/python -m pytest -c tests/sklearn_suite/pytest.ini

tiny: .venv/installed-dev
	$(BIN)/python -m pytest -q tests/test_tiny.py

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The peers live in an environment of their own, so that none of them ever becomes a dependency.
# torch first: whoever wants one that is not for this machine's processor alone can install it there before.
.venv-bench/installed: pyproject.toml benchmarks/requirements-peers.txt
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip --disable-pip-version-check -q install $$(grep '^torch==' benchmarks/requirements-peers.txt)
	.venv-bench/bin/python -m pip --disable-pip-version-check -q install -r benchmarks/requirements-peers.txt -e .
	touch $@

bench: .venv-bench/installed
	.venv-bench/bin/python benchmarks/run.py $(ARGS)

clean:
	rm -rf .venv .venv-bench demo build
