# Everything that is done here more than once. `make` lists it.
#
# The environment is .venv, made with the first Python from 3.11 up that is found; PYTHON says
# another. Stamps below .venv keep what is done from being done again.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

export PYTHON
VENV := .venv
BIN := $(VENV)/bin
EARSHOT := $(BIN)/earshot
ASSETS := dashboard/static/vendor/MANIFEST.json
CHECKED := earshot collectors classifier router dashboard operations docs bench
say := printf '%s\n'

##@ Use it

.PHONY: run
run: $(VENV)/run.stamp $(ASSETS) ## Install, migrate, and start every role on this machine (PORT, EARSHOT_HOME)
	@exec $(EARSHOT) up

##@ Work on it

.PHONY: test
test: $(VENV)/dev.stamp $(ASSETS) services check unit ## Everything that CI runs: checks, then all tests on real services

.PHONY: check
check: $(VENV)/dev.stamp ## Format, lint, types, security lint and import contracts
	@$(say) 'check: format' && $(BIN)/ruff format --check --quiet . \
		|| { $(say) 'check: run `make format`'; exit 1; }
	@$(say) 'check: lint' && $(BIN)/ruff check --quiet .
	@$(say) 'check: types' && $(BIN)/mypy
	@$(say) 'check: security' && $(BIN)/bandit --quiet --recursive --configfile pyproject.toml $(CHECKED)
	@$(say) 'check: import contracts' && $(BIN)/lint-imports --no-cache >$(VENV)/imports.log \
		|| { cat $(VENV)/imports.log; exit 1; }

.PHONY: unit
unit: $(VENV)/dev.stamp $(ASSETS) ## The tests alone; T=tests/router or T='-k word' chooses, WORKERS=0 for one process
	@$(BIN)/python -m pytest -q -n $(or $(WORKERS),auto) --dist worksteal \
		$(if $(filter true,$(CI)),-p tests.no_skips) $(T)

.PHONY: format
format: $(VENV)/dev.stamp ## Format the code, and mend what the linter can mend
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

.PHONY: services
services: ## Install the services that tests need: Kafka, PostgreSQL, Chromium (Debian, as root)
	@tests/services/install.sh

##@ Make what is generated

.PHONY: docs
docs: $(VENV)/dev.stamp ## Write docs/reference/ from the code
	@$(BIN)/python -m docs.generate

.PHONY: dashboard
dashboard: $(VENV)/dev.stamp ## Write Grafana's dashboard from deploy/grafana/panels.py
	@$(BIN)/python -m deploy.grafana.write

.PHONY: migration
migration: $(VENV)/dev.stamp ## Write the next migration from earshot/database/tables.py; NAME='add a column'
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python migrations/write.py '$(NAME)'

.PHONY: model
model: $(VENV)/dev.stamp ## Train the model that is shipped, from EARSHOT_DATA_DIR/labelled
	@test -n "$(EARSHOT_DATA_DIR)" || { \
		$(say) 'set EARSHOT_DATA_DIR to the folder that holds labelled/ (docs/how-to/train-a-model.md)'; exit 1; }
	@$(BIN)/python -c 'import sys; from pathlib import Path; from classifier.train import train_default; \
		train_default(Path(sys.argv[1]), Path(sys.argv[2]))' \
		'$(EARSHOT_DATA_DIR)/labelled' classifier/model/default.npz
	@$(say) 'model: written to classifier/model/default.npz; bring CARD.md beside it up to date'

.PHONY: faults
faults: $(VENV)/dev.stamp services ## Run the long plan of faults on all three back ends, half an hour and more (SEED, ARGS)
	@status=0; for backend in sqlite kafka three-brokers; do \
		$(BIN)/python -m tests.faults.run --json --backend $$backend --seed $(or $(SEED),1) $(ARGS) \
			|| status=1; \
	done; exit $$status

.PHONY: bench
bench: $(VENV)/dev.stamp ## Measure mentions a second and the time to the queue (bench/README.md)
	@$(BIN)/python -m bench.pipeline $(ARGS)

# Resolved for every Python and platform, with hashes, and without a registry's address: each
# installs from the one that is configured there.
COMPILE = $(BIN)/uv pip compile -q pyproject.toml --universal --generate-hashes --no-header \
	--no-annotate --no-emit-index-url

.PHONY: requirements
requirements: $(VENV)/run.stamp ## Compile requirements*.txt from pyproject.toml; ARGS=--upgrade takes the newest
	$(COMPILE) --group dev $(ARGS) -o requirements-dev.txt
	$(COMPILE) --group install -c requirements-dev.txt -o requirements.txt

##@ Clean up

.PHONY: clean
clean: ## Remove the environment and all that was built; data in EARSHOT_HOME stay
	rm -rf $(VENV) node_modules dashboard/static/vendor build dist \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help:
	@awk 'BEGIN {FS = ":.*## "} \
		/^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

# -- the environment ------------------------------------------------------------------------

# An environment with the tools for development holds all that a run needs, so it is kept.
$(VENV)/run.stamp: requirements.txt pyproject.toml
	@./environment.sh $(VENV) requirements$(if $(wildcard $(VENV)/dev.stamp),-dev).txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt pyproject.toml
	@./environment.sh $(VENV) requirements-dev.txt
	@touch $@ $(VENV)/run.stamp

$(ASSETS): package-lock.json dashboard/frame/assets.py | $(VENV)/run.stamp
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -P dashboard/frame/assets.py
	@touch $@
