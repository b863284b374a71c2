# make reports, make appraisal   the sample company's reports, from nothing        make test   everything that must hold
# The virtual environment is made from requirements.lock, hash by hash; PYTHON names the Python 3.11+ to start from.
PYTHON ?= python3
BIN := .venv/bin
.PHONY: reports appraisal test faults lint lab lock golden studies benchmark benchmark-appraisal benchmark-pages benchmark-reports benchmark-simulations clean
.DELETE_ON_ERROR:

reports: data/crm.duckdb
	@$(BIN)/salesanalysis run params/monthly.yaml

appraisal: data/crm.duckdb
	@$(BIN)/salesanalysis run params/appraisal_quarterly.yaml

test: .venv/ready
	$(BIN)/python -m pytest -n auto --dist loadfile

# Does a run that is broken on purpose publish nothing, and keep what was there? Every round; writes docs/reliability.md.
faults: .venv/ready
	@rm -rf build/faults/full
	$(BIN)/python -m pytest tests/faults --full -n auto --dist worksteal; \
	  failed=$$?; $(BIN)/python tests/faults/table.py && exit $$failed

lint: .venv/ready
	$(BIN)/pre-commit run --all-files

lab: data/crm.duckdb
	$(BIN)/jupyter lab notebooks

benchmark: .venv/ready
	$(BIN)/python benchmarks/metrics.py

benchmark-appraisal: .venv/ready
	$(BIN)/python benchmarks/appraisal.py

benchmark-pages: data/crm.duckdb
	$(BIN)/python benchmarks/notebooks.py

# Many reports by the engine and by papermill and nbconvert one after the other; about half an hour; writes docs/performance.md.
benchmark-reports: data/crm.duckdb
	$(BIN)/python benchmarks/report_engine.py

benchmark-simulations: .venv/ready
	$(BIN)/python benchmarks/twins.py
	$(BIN)/python benchmarks/forecast.py

# Does the suite hold what it says? About twenty minutes on two free cores; writes docs/studies.md.
studies: .venv/ready
	$(BIN)/python studies/run.py

golden: .venv/ready
	$(BIN)/python -m pytest tests/metrics/test_sql.py --write-golden

lock: .venv/ready
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra notify --extra publish --extra dask --extra test --extra dev --universal --generate-hashes --no-emit-index-url \
	  --python-version 3.11 --custom-compile-command "make lock" --quiet --output-file requirements.lock

clean:
	rm -rf .venv build data/sample data/crm.duckdb

# Data and store are made only if they are not there: a store of your own under this name stays as it is.
data/crm.duckdb: | .venv/ready
	@test -d data/sample || $(BIN)/salesanalysis sample
	@$(BIN)/salesanalysis load data/sample --mapping params/sources/sample.yaml

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, found $$($(PYTHON) --version); set PYTHON=…"; exit 1; }
	@echo "setting up .venv (a minute or two, once)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@
