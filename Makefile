# Two commands matter to a newcomer: `make quickstart` and `make test`.
# On an accelerator: `make quickstart EXTRA=cuda`, or EXTRA=tpu.
PYTHON ?= python3
EXTRA ?=
BIN := .venv/bin
INSTALLED := .venv/.installed$(addprefix -,$(EXTRA))
INSTALLED_DEV := .venv/.installed-dev
INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: quickstart test test-all test-accelerators check format docs bench clean

quickstart: $(INSTALLED)  ## Train, score and report a taste of the paper on this machine.
	$(BIN)/teasel run quickstart --results results/quickstart
	$(BIN)/teasel report results/quickstart

test: $(INSTALLED_DEV)  ## The tests that finish in minutes.
	$(BIN)/pytest

test-all: $(INSTALLED_DEV)  ## Every test, the slow ones too.
	$(BIN)/pytest -m "slow or not slow"

test-accelerators: .venv-accelerators/.installed  ## Compiles for GPUs and TPUs; needs none.
	.venv-accelerators/bin/python -m pytest -m "" -rs tests/accelerators/programs.py

check: $(INSTALLED_DEV)  ## Formatting, lint and types.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright

format: $(INSTALLED_DEV)  ## Fixes formatting and lint where it can.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(INSTALLED_DEV)  ## The API reference, the picture of the rooms, the page of columns.
	$(BIN)/python docs/render_api.py
	$(BIN)/python docs/render_house.py
	$(BIN)/python docs/render_columns.py

bench: $(INSTALLED_DEV)  ## Speed, as ratios; minutes each. RESULTS.md keeps what was measured.
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/metrics.py
	$(BIN)/python benchmarks/datasets.py
	$(BIN)/python benchmarks/analysis.py speed
	$(BIN)/python benchmarks/explorer.py
	$(BIN)/python benchmarks/store.py
	$(BIN)/python benchmarks/sweep_scheduling.py

$(BIN)/python:
	$(PYTHON) -c "import sys; sys.exit('Teasel needs Python 3.11 or newer; this is ' + sys.version.split()[0] + '. Set PYTHON=python3.x.' if sys.version_info < (3, 11) else 0)"
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e .
	touch $@

.venv/.installed-%: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[$*]'
	touch .venv/.installed $@

.venv-accelerators/.installed: $(INSTALLED_DEV)
	$(PYTHON) -m venv .venv-accelerators
	$(BIN)/python -c "import sysconfig; print('import site; site.addsitedir(%r)' % sysconfig.get_path('purelib'))" \
		> "$$(.venv-accelerators/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/project.pth"
	version=$$($(BIN)/python -c "import jax; print(jax.__version__)") && \
		.venv-accelerators/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		jax-cuda12-plugin==$$version jax-cuda12-pjrt==$$version
	# Without libtpu, which not every platform has, the programs for TPUs are left out.
	-libtpu=$$($(BIN)/python -c "from importlib.metadata import requires; print(next(line.partition(';')[0] for line in requires('jax') if line.startswith('libtpu')))") && \
		.venv-accelerators/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$$libtpu"
	touch $@

clean:
	rm -rf .venv .venv-accelerators build dist *.egg-info
