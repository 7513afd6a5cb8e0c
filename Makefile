# make demo          draws the demo dataset, finds its wrong labels, prints a table and opens the FiftyOne App
# make demo APP=0    stops after the table
# make demo FRESH=1  starts anew, without the decisions of earlier times
# make test          lint, types and the whole test suite
# make thorough      the long tests: every click in both panels, the notebook, more of the operators' forms in a real browser
# make test-faults   processes killed, the database away, disks full, corpora of damaged inputs: a table of what was lost
# make lint          ruff and mypy only
# make bench         the benchmarks, one line of JSON each
# make gpu           checks the CUDA path on a machine with a GPU: rows for docs/speed.md, and whether they pass
# make story         takes the pictures of docs/story.md anew, on drawings of their own
# make pictures      takes the docs' other pictures of the App anew, by running the browser tests
# make plugin        packs the plugin alone into dist/, for `fiftyone plugins download`
# make reference     writes docs/reference anew from the code
# make docs          builds the documentation as a website into build/docs, and checks its links
# make clean         removes all that make has made here
#
# Each does its own set-up in .venv the first time. PYTHON=... picks the Python that .venv is made with.

VENV := .venv
THREADS ?= 2
# Test processes; each has a MongoDB and a store of its own.
WORKERS ?= 2
PY := $(VENV)/bin/python
# .demo holds the demo's database, images and plugin link, so that it never touches a user's own FiftyOne data.
DEMO := $(CURDIR)/.demo

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The demo's model is so small that threads waiting for each other cost more than they bring, above all on a busy machine.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test thorough test-faults lint bench gpu story pictures docs reference plugin clean setup setup-dev
.DEFAULT_GOAL := demo

setup setup-dev:
	@python="$(PYTHON)"; python="$${python:-$$(sh scripts/find_python.sh)}" && \
	"$$python" scripts/setup_env.py $(if $(filter setup-dev,$@),--dev) $(if $(NO_BROWSER),--no-browser)

IN_DEMO = FIFTYONE_DEFAULT_DATASET_DIR="$(DEMO)/datasets" FIFTYONE_PLUGINS_DIR="$(DEMO)/plugins" \
 FIFTYONE_DATABASE_VALIDATION=false FIFTYONE_DO_NOT_TRACK=true LGCA_STORE_DIR="$(DEMO)/embeddings" \
 $(PY) scripts/mongod.py "$(DEMO)/database" $(PY)

demo: setup
	@mkdir -p "$(DEMO)/plugins" && ln -sfn "$(CURDIR)" "$(DEMO)/plugins/lgca"
	@$(IN_DEMO) -m lgca_plugin.demo $(if $(filter 0,$(APP)),--no-app) $(if $(FRESH),--fresh)

story: setup-dev
	@mkdir -p "$(DEMO)/plugins" && ln -sfn "$(CURDIR)" "$(DEMO)/plugins/lgca"
	@$(IN_DEMO) -m scripts.story

pictures: setup-dev
	$(PY) -m pytest -m "app or thorough" tests/browser
	$(PY) -m scripts.pictures

DOCS := build/docs_env
docs:
	@python="$(PYTHON)"; python="$${python:-$$(sh scripts/find_python.sh)}" && \
	{ test -e $(DOCS)/ready || { "$$python" -m venv $(DOCS) && $(DOCS)/bin/python -m pip install -q -r scripts/docs_requirements.txt && touch $(DOCS)/ready; } }
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict --quiet
	@echo "build/docs/index.html"

plugin:
	@python="$(PYTHON)"; python="$${python:-$$(sh scripts/find_python.sh)}" && "$$python" scripts/plugin_zip.py

reference: setup-dev
	@mkdir -p "$(DEMO)/plugins"
	@$(IN_DEMO) -m scripts.reference

test: setup-dev
	@$(MAKE) --no-print-directory check
	$(PY) -m pytest -n $(WORKERS) --dist loadfile -m "not thorough and not faults"

thorough: setup-dev
	$(PY) -m pytest -m thorough

test-faults: setup-dev
	$(PY) -m pytest -n $(WORKERS) -m faults tests/faults

lint:
	@$(MAKE) --no-print-directory setup-dev NO_BROWSER=1
	@$(MAKE) --no-print-directory check

gpu: setup
	$(PY) -m benchmarks.gpu --out build/gpu

bench: setup
	@mkdir -p "$(DEMO)"
	@FIFTYONE_DATABASE_VALIDATION=false FIFTYONE_DO_NOT_TRACK=true FIFTYONE_SHOW_PROGRESS_BARS=false OMP_NUM_THREADS=$(THREADS) \
	 $(PY) scripts/mongod.py "$(DEMO)/bench" sh -c "$(PY) -m benchmarks.rescore && $(PY) -m benchmarks.evidence && $(PY) -m benchmarks.evidence_panel && $(PY) -m benchmarks.triage && $(PY) -m benchmarks.compare_panel && $(PY) -m benchmarks.review && $(PY) -m benchmarks.peers --resize fast && $(PY) -m benchmarks.reuse"
	@OMP_NUM_THREADS=$(THREADS) $(PY) -m benchmarks.sweep
	@OMP_NUM_THREADS=$(THREADS) $(PY) -m benchmarks.scale.scoring --seconds 1
	@OMP_NUM_THREADS=$(THREADS) $(PY) -m benchmarks.engine --size 500x400 4000x3000 --resize fast --images 20
	@OMP_NUM_THREADS=$(THREADS) $(PY) -m benchmarks.agreement --images 60
	@OMP_NUM_THREADS=$(THREADS) $(PY) -m benchmarks.adaptive --what demo photographs --sets 0 1
	@OMP_NUM_THREADS=$(THREADS) $(PY) -m benchmarks.engine --slopes --resize fast --images 16

.PHONY: check
check:
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	@mkdir -p .mypy_cache/checkout && ln -sfn "$(CURDIR)" .mypy_cache/checkout/plugin
	$(PY) -m mypy -p lgca_plugin -p tests -p scripts -p benchmarks
	$(PY) -m mypy -p plugin.operators

clean:
	rm -rf $(VENV) "$(DEMO)" artifacts build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
