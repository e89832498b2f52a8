# One command per target; `make` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash

# What `make test` hands on to cargo, such as ARGS='-p taskman-task'.
ARGS ?= --workspace
# How `make dev` starts: empty for child processes, `docker` for docker compose.
DEV ?=

CARGO ?= cargo
COMPOSE = docker compose -f docker-compose.dev.yml up --build
# Private items are documented, so public ones may link to them.
DOC = RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" $(CARGO) doc --workspace --no-deps --document-private-items
STACK = $(CARGO) run --quiet -p taskman-devstack --bin devstack --

.PHONY: help setup dev demo test lint fmt bench stack images docs clean-dev

help: ## Lists the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Installs what is missing: PostgreSQL, Redis, RabbitMQ and a C compiler
	@scripts/setup

dev: ## Runs the whole fleet here until Ctrl-C (DEV=docker: in containers)
ifeq ($(DEV),docker)
	$(COMPOSE)
else
	@scripts/setup; status=$$?; \
	if [ $$status -eq 0 ]; then exec $(CARGO) run --quiet -p taskman-taskman --bin taskman -- up; fi; \
	if [ $$status -ge 128 ]; then exit $$status; fi; \
	if docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1; then \
	  echo 'dev: this machine cannot be set up, but Docker is here: the fleet starts in containers, as with DEV=docker.' >&2; \
	  exec $(COMPOSE); \
	fi; \
	echo 'dev: the other way is Docker with its compose plugin: `make dev DEV=docker`.' >&2; exit $$status
endif

demo: ## Plays an afternoon of a company against the running fleet
	$(CARGO) run --quiet -p taskman-taskman --bin taskman -- demo

test: setup ## Runs every test on private servers (ARGS='-p taskman-task' for one crate)
	$(CARGO) build --quiet --workspace --bins # some tests start the services as processes
	$(STACK) exec --profile test --dir .dev/test -- $(CARGO) test $(ARGS) --lib --bins --tests

stack: setup ## Keeps the servers of the tests running until Ctrl-C, for `cargo test` by hand
	$(STACK) up --profile test --dir .dev/test

lint: setup ## Checks formatting, lints and documentation; warnings are errors
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(DOC)

fmt: ## Formats the code
	$(CARGO) fmt --all

bench: setup ## Measures the fleet against a bare echo, as ratios
	$(CARGO) build --release --quiet -p taskman-taskman --bin taskman
	$(CARGO) run --release --quiet -p taskman-taskman --bin taskman -- bench

docs: setup ## Builds the documentation of the crates
	$(DOC)

images: ## Builds a container image for each service and for the tool
	@for service in taskman authentication authorization user iam-admin task audit notification gateway; do \
	  docker build --build-arg SERVICE=$$service -t taskman/$$service:dev . || exit 1; done

clean-dev: ## Removes the data of `make dev` and of the tests
	rm -rf .dev
