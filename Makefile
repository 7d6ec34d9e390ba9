# Everything a user or CI runs. It needs make and Python 3.11 or later, nothing else.
PYTHON ?= python3
# The network, by the names of BLUR_MODEL.
MODEL ?= u2netp-light
# A folder that has the models' files; empty: they are downloaded.
MODEL_FROM ?=

VENV := .venv
BIN := $(VENV)/bin
# Standard output of pip is noise, its warnings mostly too; its errors are shown.
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check
PIP_LOCKED := $(PIP) install --require-hashes --only-binary :all: --requirement
PIP_EDITABLE := $(PIP) install --no-deps --no-index --no-build-isolation --editable .

# What is installed is remembered by the content of what it was installed from, so that
# neither a fresh checkout's time stamps nor a switch between branches can mislead.
key = $(shell cat pyproject.toml $(1) | cksum | cut -d ' ' -f 1)
SERVE_READY := $(VENV)/ready-serve-$(call key,requirements/serve.txt)
SAM_VENV := .venv-sam
SAM_READY := $(SAM_VENV)/ready-$(call key,requirements/sam.txt)
AUDIT_VENV := .venv-audit
AUDIT_READY := $(AUDIT_VENV)/ready-$(call key,requirements/audit.txt)
MUTANTS_VENV := .venv-mutants
MUTANTS_READY := $(MUTANTS_VENV)/ready-$(call key,requirements/mutants.txt)
TEST_READY := $(VENV)/ready-test-$(call key,requirements/serve.txt requirements/test.txt)
VENV_READY := $(VENV)/ready
# An environment that was moved, or whose Python is gone, is made again.
ifneq ($(shell $(BIN)/python -c '' 2>/dev/null && cat $(VENV_READY) 2>/dev/null),$(CURDIR))
$(VENV_READY): FORCE
endif

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test samples browser e2e check prose model dist image calibrate gallery openapi bench \
	bench-quality bench-models bench-files load reliability results mutants sbom audit lock clean FORCE
FORCE:

help: ## Show what make can do
	@sed -n 's/^\([a-z0-9-]*\)[a-z0-9 -]*:.*## \(.*\)/make \1	\2/p' $(firstword $(MAKEFILE_LIST))

PORT ?= 8080
IS_FREE = import socket, sys; socket.create_server(("127.0.0.1", int(sys.argv[1])))
# make prints "Error 1" after any command that fails. SIGPIPE ends it without a line, and its exit
# status still shows the failure.
run: $(SERVE_READY) model ## Start the API on this machine, with a demo key; PORT=8081 takes another port
	@$(BIN)/python -c '$(IS_FREE)' $(PORT) 2>/dev/null || { \
		echo "Port $(PORT) is already in use. Choose another one: make run PORT=$$(($(PORT) + 1))" >&2; \
		kill -s PIPE $$PPID; }
	@BLUR_MODEL=$${BLUR_MODEL:-$(MODEL)} exec $(BIN)/bgblur serve --demo --port $(PORT)

test: check model ## Check the code, then run every test
	@$(BIN)/python -m pytest $(PYTEST)

PHP_WITH_CURL = php -m 2>/dev/null | grep -qx curl
samples: $(TEST_READY) model ## Run the samples of docs/samples; installs PHP on Debian, as root
	@{ $(PHP_WITH_CURL) && command -v curl >/dev/null; } || { apt-get -qq update && \
		apt-get -qq install --no-install-recommends php-cli php-curl curl >/dev/null; } || { \
		echo "The samples need curl, and PHP with its curl extension." >&2; exit 1; }
	@$(BIN)/python -m pytest tests/samples $(PYTEST)

browser: $(TEST_READY) model ## Test what browsers do in Chromium; installs it on Debian, as root
	@{ command -v chromium && command -v pngcheck; } >/dev/null || { apt-get -qq update && \
		apt-get -qq install --no-install-recommends chromium pngcheck >/dev/null; }
	@$(BIN)/python -m pytest tests/browser $(PYTEST)

e2e: $(TEST_READY) $(SAM_READY) ## Build the stack and test it in containers; Debian, as root
	@$(BIN)/python -m pytest --timeout 600 tests/e2e $(PYTEST)

check: $(TEST_READY) ## Lint, formatting, types, and the direction of imports
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy --no-error-summary .
	@report=$$($(BIN)/lint-imports 2>&1) || { printf '%s\n' "$$report"; exit 1; }

prose: $(TEST_READY) ## Count the phrases of tools/prose.toml in each folder; python tools/prose.py lists them
	@$(BIN)/python tools/prose.py --counts

model: | $(SERVE_READY) ## Bring the models into build/models; MODEL=name takes another one
	@$(BIN)/python layers/model/fetch.py --model $(MODEL) --into build/models \
		$(if $(MODEL_FROM),--from "$(MODEL_FROM)")
	@$(BIN)/python layers/model/fetch.py --model selfie-segmentation --optional --into build/models \
		$(if $(MODEL_FROM),--from "$(MODEL_FROM)")
	@$(BIN)/python layers/model/lighten.py build/models
	@$(BIN)/python layers/model/convert.py build/models

# Both wheels of one commit are the same bytes on every machine.
DIST ?= dist
dist: $(SERVE_READY) model ## Build the wheels of the server and of the client into dist/
	@rm -rf $(DIST)/*.whl build/lib build/bdist.* tools/blur_client/build
	@SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2>/dev/null || echo 1700000000) \
		$(PIP) wheel --no-deps --no-index --no-build-isolation --wheel-dir $(DIST) . ./tools/blur_client
	@ls $(DIST)/*.whl

IMAGE ?= background-blur-api
BASE_IMAGE ?= python:3.13-slim
image: ## Build the container image of the embedded server; needs Docker
	@docker build --quiet --tag $(IMAGE) --build-arg BASE_IMAGE=$(BASE_IMAGE) \
		--file tools/bgblur/Dockerfile .

calibrate: $(TEST_READY) model ## Learn the light model's factors again; needs 2 GB and minutes
	@$(BIN)/python layers/model/calibrate.py build/models

# Puts what was measured into the documents that show it.
RESULTS = $(BIN)/python docs/results.py
BENCH = PYTHONPATH=.:functions:tools POWERTOOLS_METRICS_DISABLED=true $(BIN)/python benchmarks
bench: $(TEST_READY) model ## Measure speed and memory against peers; writes benchmarks/BASELINE.md
	@$(BENCH)/speed.py
	@$(RESULTS)

bench-files: $(TEST_READY) ## Decode every file of a folder tree, compare with others: DATA=folder
	@$(BENCH)/files.py "$(DATA)"

bench-quality: $(TEST_READY) model ## Measure matte and halo on pictures: DATA=folder
	@$(BENCH)/quality.py "$(DATA)"
	@$(RESULTS)

bench-models: $(TEST_READY) model ## Measure other networks, IS-Net from npm: DATA=folder
	@$(BENCH)/models.py "$(DATA)"

load: $(TEST_READY) model ## Measure throughput, waiting and memory of the embedded server
	@TRIALS=full $(BENCH)/load.py
	@TRIALS=full $(BENCH)/soak.py
	@$(RESULTS)

reliability: $(TEST_READY) model ## Attack, load and break the service at full size; writes docs/reliability.md
	@TRIALS=full $(BIN)/python -m pytest --timeout 3600 tests/attack tests/faults $(PYTEST)
	@$(MAKE) load

results: $(TEST_READY) ## Write what trials and benchmarks measured into the documents
	@$(RESULTS)

# Portions are accounts, sqlite, service, api and dynamo; api:blur_request.py is one file of one.
MUTANTS ?=
mutants: $(MUTANTS_READY) model ## Change the code of money and contract, see that a test minds; MUTANTS=portion
	@TRIALS=full $(MUTANTS_VENV)/bin/python -m tests.mutants $(MUTANTS)
	@$(RESULTS)

gallery: $(TEST_READY) model ## Draw the pictures of the documentation again
	@$(BIN)/python docs/images/render.py

openapi: $(TEST_READY) ## Write openapi.json and site/guides.json again, from their sources
	@$(BIN)/python docs/describe.py
	@$(BIN)/python docs/guides.py

# What is valid CycloneDX says the library that its makers publish, with their schema.
VALID = import sys; from cyclonedx.schema import SchemaVersion as V; \
	from cyclonedx.validation.json import JsonStrictValidator as J; \
	sys.exit(J(V.V1_6).validate_str(open(sys.argv[1], encoding="utf-8").read()))
SBOM := build/sbom.cdx.json
sbom: $(SERVE_READY) $(AUDIT_READY) model ## Write the bill of materials of the image, build/sbom.cdx.json
	@$(BIN)/python tools/sbom.py --model $(MODEL) --into $(SBOM)
	@$(AUDIT_VENV)/bin/python -c '$(VALID)' $(SBOM)

# --strict: without it, packages that the index tells nothing about pass for sound ones. The lock
# of the tests has what the function, the server and the model need.
AUDITED := test base sam audit mutants
PIP_AUDIT := $(AUDIT_VENV)/bin/pip-audit --strict --progress-spinner off --disable-pip --require-hashes
audit: $(AUDIT_READY) ## Ask the package index for known vulnerabilities of all that is locked
	@sound=yes; for lock in $(AUDITED); do echo "requirements/$$lock.txt"; \
		$(PIP_AUDIT) --requirement requirements/$$lock.txt || sound=no; done; test $$sound = yes || { \
		echo "Vulnerable, or not audited: where nothing is found, the index has no such data." >&2; \
		exit 1; }

# Each lock is bounded by the one before it, so that all four pin the same versions.
COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--python-version 3.11 --custom-compile-command 'make lock' $(UPGRADE)
LOCK = cd requirements && ../$(COMPILE)
lock: $(TEST_READY) ## Pin the dependencies again; UPGRADE=--upgrade takes newer ones
	@$(LOCK) function.in --output-file function.txt
	@$(LOCK) function.in serve.in build.in model.in --constraints function.txt --output-file serve.txt
	@$(LOCK) function.in serve.in --constraints serve.txt --output-file runtime.txt
	@$(LOCK) function.in serve.in build.in model.in test.in --constraints serve.txt --output-file test.txt
	@$(LOCK) model.in --constraints serve.txt --output-file ../layers/model/requirements.txt
	@$(LOCK) npm.in --constraints test.txt --output-file ../layers/model/npm.txt
	@$(LOCK) base.in --output-file base.txt
	@$(LOCK) sam.in --output-file sam.txt
	@$(LOCK) audit.in --output-file audit.txt
	@$(LOCK) mutants.in --constraints test.txt --output-file mutants.txt

clean: ## Remove the environments, the model and caches; accounts in var/ stay
	rm -rf $(VENV) $(SAM_VENV) $(AUDIT_VENV) $(MUTANTS_VENV) .aws-sam build dist
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf functions/*.egg-info tools/*.egg-info tools/blur_client/*.egg-info *.egg-info
	rm -rf tools/blur_client/build

$(VENV_READY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or later is needed; name one with make PYTHON=/path/to/python3." >&2; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Python's venv is missing; on Debian and Ubuntu: apt install python3-venv" >&2; \
		exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
	@echo '$(CURDIR)' > $@

$(SERVE_READY): $(VENV_READY)
	@echo "Installing what the server needs into $(VENV) ..."
	@rm -f $(VENV)/ready-*
	@$(PIP_LOCKED) requirements/serve.txt
	@$(PIP_EDITABLE)
	@touch $@

$(TEST_READY): $(VENV_READY)
	@echo "Installing what the tests need into $(VENV), about 1.8 GB ..."
	@rm -f $(VENV)/ready-*
	@$(PIP_LOCKED) requirements/test.txt
	@$(PIP_EDITABLE)
	@touch $@ $(SERVE_READY)

# --no-deps: the lock is whole, and pip cannot match a pin with the extras that sam asks for.
$(SAM_READY): $(VENV_READY)
	@echo "Installing what builds and checks the stack into $(SAM_VENV), about 600 MB ..."
	@$(PYTHON) -m venv --clear $(SAM_VENV)
	@$(SAM_VENV)/bin/python -m pip --quiet --quiet --disable-pip-version-check install --no-deps \
		--require-hashes --only-binary :all: --requirement requirements/sam.txt
	@touch $@

$(AUDIT_READY): $(VENV_READY)
	@echo "Installing what audits and checks the bill of materials into $(AUDIT_VENV), about 70 MB ..."
	@$(PYTHON) -m venv --clear $(AUDIT_VENV)
	@$(AUDIT_VENV)/bin/python -m pip --quiet --quiet --disable-pip-version-check install \
		--require-hashes --only-binary :all: --requirement requirements/audit.txt
	@touch $@

# What the tests need is there already, and is found where it is.
FOLDER = -c 'import sysconfig; print(sysconfig.get_path("purelib"))'
$(MUTANTS_READY): $(TEST_READY)
	@$(PYTHON) -m venv --clear $(MUTANTS_VENV)
	@$(MUTANTS_VENV)/bin/python -m pip --quiet --quiet --disable-pip-version-check install \
		--require-hashes --only-binary :all: --requirement requirements/mutants.txt
	@echo "import site; site.addsitedir('$$($(BIN)/python $(FOLDER))')" \
		> $$($(MUTANTS_VENV)/bin/python $(FOLDER))/tests.pth
	@touch $@
