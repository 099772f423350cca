# make demo    the whole thing on this machine: no account, no key
# make test    the tests
# make check   what CI runs
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
UV := .tools/uv/bin/uv
SAM := .tools/sam/bin/sam
ASL := .tools/asl/node_modules/.bin/asl-validator
UI := .tools/ui/.ready
VENDOR := layers/core/batchdrop/cli/ui/static/vendor
CHECKOV := .tools/checkov/bin/checkov
AUDIT := .tools/audit/bin/pip-audit
CORPUS := .tools/corpus
FN ?= split_upload
# Layers are built for this machine, so that tests can run what was built; `make deploy` builds for the template's.
DEPLOYED := arm64
ARCH ?= $(patsubst aarch64,arm64,$(shell uname -m))

# Python writes its bytecode, and pytest its rewritten tests, also where the caller's shell says otherwise: each of the
# test workers would compile every test anew.
unexport PYTHONDONTWRITEBYTECODE

# What guards the pure rooms: no process, no network, no stack.
PURE := recipe answers requests money saver report $(addprefix job/test_,job_event.py polling.py sample.py shard_state.py \
	upload.py) $(addprefix admission/test_,budget.py batch_queue_state.py worst_case.py) live_lane/test_permits.py \
	split/test_even_sample.py

.PHONY: help setup demo demo-saver test test-aws proofs quick guards faults schedules kills corpus bench check static browser lint format lock build console vendored validate template layers checkov audit invoke deploy destroy clean

help: ## Show this list.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: .venv/.ready ## Make .venv with everything, from the lock.

# uv comes from the package index, by hash, so that a machine with nothing but python3 can start.
$(UV): tools/uv/requirements.lock
	@echo "setting up (once) ..."
	@python3 -m venv --clear .tools/uv
	@.tools/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

# Python 3.13 as in Lambda where uv finds or fetches it, else the oldest Python that the code supports or newer.
.venv/.ready: $(UV) requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(UV) venv --quiet --python 3.13 .venv 2>/dev/null || $(UV) venv --quiet --python '>=3.11' .venv
	@$(UV) pip sync --quiet --compile-bytecode --python .venv/bin/python --require-hashes requirements.lock
	@$(UV) pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q layers/core/batchdrop
	@touch $@

demo: setup ## Run examples/reviews.csv through the whole application, on this machine.
	@BATCHDROP_EXIT_WITH_PARENT=$(shell echo $$PPID) exec $(BIN)/batchdrop demo

demo-saver: setup ## Search a cheaper model for a file, certify it, and run the file with it, on this machine.
	@exec $(BIN)/python -m tools.demo_saver

test: setup browser $(UI) ## Run the tests, but for the long proofs; offline once set up.
	@exec $(BIN)/python -m pytest -n 4 -m "not proof"

test-aws: setup browser ## Run every end-to-end test on Claude Platform on AWS, as the emulator plays it.
	@exec $(BIN)/python -m pytest -n 2 tests/end_to_end --provider aws

proofs: setup browser ## The long tests that `make test` leaves out: kills at every moment, more seeds. Part of `make faults`.
	@exec $(BIN)/python -m pytest -n 4 -m proof

quick: setup ## Run what guards the pure rooms: seconds, for the inner loop.
	@exec $(BIN)/python -m pytest -q $(addprefix tests/,$(PURE))

faults: setup ## Break everything, at random, for an hour; FAULTS=quick: a tenth; make faults SEED=17 KIND=lies replays one.
ifdef SEED
	@exec $(BIN)/python -m tests.faults --seed $(SEED) --kind $(or $(KIND),plain)
else ifeq ($(FAULTS),quick)
	@exec $(BIN)/python -m tests.faults --all --quick
else
	@$(MAKE) schedules kills -j 2  # without --output-sync: each kind prints its line when it ends
	@$(MAKE) proofs
	@HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest -q -n 2 $(addprefix tests/,$(PURE))
endif

schedules:
	@exec $(BIN)/python -m tests.faults --all

# Kills mostly wait, so they run beside the schedules.
kills:
	@FAULTS_FULL=1 exec $(BIN)/python -m pytest -q -n 0 tests/faults/test_stack_kills.py tests/faults/test_command_kills.py

guards: setup ## Remove 40 guards, one at a time: which tests notice? make guards SEED=2 takes 40 others.
	@exec $(BIN)/python -m tools.guards --seed $(or $(SEED),1)

# The programs that write the files need an environment of their own: pyarrow works differently beside pandas.
$(CORPUS)/.ready: $(UV) tools/corpus/requirements.lock
	@$(UV) venv --quiet --clear --python .venv/bin/python $(CORPUS)
	@$(UV) pip sync --quiet --python $(CORPUS)/bin/python --require-hashes tools/corpus/requirements.lock
	@touch $@

corpus: setup $(CORPUS)/.ready ## Hundreds of files of real programs through whole jobs; then 4,000 broken ones of each format.
	@rm -rf .corpus && $(CORPUS)/bin/python -W ignore -m tools.corpus.make .corpus
	@$(BIN)/python -m tests.corpus .corpus
	@$(BIN)/python -m tests.corpus.fuzz --keep .corpus/findings

bench: setup ## Measure everything, each figure beside its alternative: benchmarks/results/table.md. BENCH=--quick for one small run.
	@failed=0; for part in split submit collect stitch cold_start small_job whole_job live_lane live_fleet live_storms split_memory \
		estimate_error bill capped_jobs pack_filter answer_store saver console scale.model; do \
		$(BIN)/python -m benchmarks.$$part $(BENCH) || failed=1; done; \
	$(BIN)/python -m benchmarks.table > /dev/null; echo "benchmarks/results/table.md"; exit $$failed

# What is quick to fail comes first; side by side, for each of them leaves a core idle now and then.
check: setup ## What CI runs: linters, types, layers, template, tests.
	@$(MAKE) static -j 3 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
	@$(MAKE) test

static: lint validate browser

browser:
	@tools/install_chromium.sh

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache
	$(BIN)/yamllint --strict .
	$(BIN)/python -m tools.prose

format: setup ## Format the code.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The SAM CLI pins its own boto3, so it lives in an environment of its own.
$(SAM): $(UV) tools/sam/requirements.lock
	@$(UV) venv --quiet --clear --python .venv/bin/python .tools/sam
	@$(UV) pip sync --quiet --python .tools/sam/bin/python --require-hashes tools/sam/requirements.lock
	@touch $@

# checkov pins what it likes, and so does pip-audit.
$(CHECKOV): $(UV) tools/checkov/requirements.lock
	@$(UV) venv --quiet --clear --python .venv/bin/python .tools/checkov
	@$(UV) pip sync --quiet --python .tools/checkov/bin/python --require-hashes tools/checkov/requirements.lock
	@touch $@

$(AUDIT): $(UV) tools/audit/requirements.lock
	@$(UV) venv --quiet --clear --python .venv/bin/python .tools/audit
	@$(UV) pip sync --quiet --python .tools/audit/bin/python --require-hashes tools/audit/requirements.lock
	@touch $@

# Node comes with its own wheel, so that nobody must install it.
$(ASL): $(UV) tools/asl/requirements.lock tools/asl/package-lock.json
	@$(UV) venv --quiet --clear --python .venv/bin/python .tools/asl
	@$(UV) pip sync --quiet --python .tools/asl/bin/python --require-hashes tools/asl/requirements.lock
	@cp tools/asl/package.json tools/asl/package-lock.json .tools/asl
	@cd .tools/asl && PATH="$$PWD/bin:$$PATH" npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

# esbuild and axe-core run on the Node that asl-validator brings.
$(UI): $(ASL) $(wildcard tools/ui/*)
	@mkdir -p .tools/ui && cp tools/ui/* .tools/ui
	@cd .tools/ui && PATH="$(CURDIR)/.tools/asl/bin:$$PATH" npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

console: $(UI) ## Build what the console's pages load from npm, from its lock.
	@cd .tools/ui && PATH="$(CURDIR)/.tools/asl/bin:$$PATH" node build.mjs $(CURDIR)/$(VENDOR)

# A build of the lock is what is committed, to the byte.
vendored: $(UI)
	@cd .tools/ui && PATH="$(CURDIR)/.tools/asl/bin:$$PATH" node build.mjs built
	@diff -r .tools/ui/built $(VENDOR) || { echo "run: make console"; exit 1; }

validate: template checkov asl vendored layers ## Lint and build the SAM application.

template: setup $(SAM)
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 $(SAM) validate --lint

layers: setup $(SAM)
	@for arch in $(sort $(DEPLOYED) $(ARCH)); do $(MAKE) build ARCH=$$arch || exit 1; \
		size=$$(du -sb .aws-sam/build/CoreLayer .aws-sam/build/FormatsLayer | awk '{sum += $$1} END {print sum}'); \
		echo "layers for $$arch, unzipped: $$size bytes (AWS: 262,144,000 at most, the function's own code included)"; \
		test $$size -lt 255000000 || exit 1; done

# The built template names the processor that its layers are for, so what is deployed from it always fits. Without SAM's
# cache: it does not know of ARCH, and gave one processor's build the layers of an older one.
build: setup $(SAM) ## sam build, for this machine's processor unless ARCH names another.
	PATH="$(CURDIR)/.tools/uv/bin:$(CURDIR)/$(BIN):$$PATH" SAM_CLI_TELEMETRY=0 ARCH=$(ARCH) $(SAM) build --no-cached
	@sed -i.bak 's/^\( *- \)$(DEPLOYED)$$/\1$(ARCH)/' .aws-sam/build/template.yaml && rm .aws-sam/build/template.yaml.bak

asl: setup $(ASL) ## The state machine as asl-validator judges it, with the template's values filled in.
	PATH="$(CURDIR)/.tools/asl/bin:$$PATH" $(BIN)/python -m tools.state_machine $(CURDIR)/$(ASL)

checkov: setup $(CHECKOV) ## What checkov finds in the expanded template; exceptions and reasons are in .checkov.yaml.
	$(BIN)/python -m tools.findings $(CURDIR)/$(CHECKOV)

audit: setup $(AUDIT) ## Known vulnerabilities of what is installed and shipped; asks PyPI's advisory database.
	@failed=0; for lock in layers/*/requirements.txt requirements.lock tools/*/requirements.lock; do \
		echo "$$lock"; $(AUDIT) --strict --require-hashes --disable-pip --requirement $$lock || failed=1; done; exit $$failed

invoke: setup $(SAM) ## Run one built function with its event, against a running `batchdrop up`: make invoke FN=split_upload
	@exec $(BIN)/python -m tools.invoke $(FN) $(if $(EVENT),--event $(EVENT)) $(if $(ENDPOINT),--endpoint-url $(ENDPOINT)) $(if $(UNDER),--under $(UNDER))

# The first time it asks, and keeps the answers in deploy.toml; after that it shows what would change, and asks for that only.
deploy: setup $(SAM) ## Check, build, deploy to the AWS account of your credentials, and answer two rows in each lane.
	@exec $(BIN)/python -m tools.deploy --arch $(DEPLOYED) $(if $(STACK),--stack $(STACK)) $(if $(REGION),--region $(REGION)) \
		$(if $(EMAIL),--email $(EMAIL)) $(if $(SET),--set $(SET)) $(if $(YES),--yes) $(if $(BUILT),--built)

destroy: setup ## Take the stack down; the bucket and the ledger stay, but for: make destroy DATA=delete
	@$(BIN)/python -m tools.deploy.destroy $(if $(filter delete,$(DATA)),--with-data) $(if $(YES),--yes)

lock: $(UV) $(ASL) ## Resolve the dependencies anew.
	$(UV) pip compile --quiet --upgrade pyproject.toml --group dev --universal --generate-hashes --python-version 3.11 \
		--no-header --no-annotate --output-file requirements.lock
	$(UV) pip compile --quiet --group core --constraint requirements.lock --generate-hashes --python-version 3.13 \
		--python-platform x86_64-manylinux_2_28 --no-header --no-annotate --output-file layers/core/requirements.txt
	$(UV) pip compile --quiet --group formats --constraint requirements.lock --generate-hashes --python-version 3.13 \
		--python-platform x86_64-manylinux_2_28 --no-header --no-annotate --output-file layers/formats/requirements.txt
	@for tool in sam checkov audit asl corpus; do $(UV) pip compile --quiet tools/$$tool/requirements.in --universal --generate-hashes \
		--python-version 3.11 --no-header --no-annotate --output-file tools/$$tool/requirements.lock; done
	PATH="$(CURDIR)/.tools/asl/bin:$$PATH" npm --prefix tools/asl update --package-lock-only --ignore-scripts --no-audit --no-fund
	PATH="$(CURDIR)/.tools/asl/bin:$$PATH" npm --prefix tools/ui update --package-lock-only --ignore-scripts --no-audit --no-fund \
		--omit-lockfile-registry-resolved
	@$(MAKE) console

clean: ## Remove what make made.
	rm -rf .venv .tools .aws-sam .mypy_cache .ruff_cache .pytest_cache .hypothesis
