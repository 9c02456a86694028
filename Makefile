# Two commands matter: `make demo` and `make test`. Both set up all they need and can be run again.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REAL ?=

.PHONY: help setup demo lint types test test-full bench docs clean
help:  ## List the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

