# Everything a person does with the project. `make help` lists the targets; each builds the environment it needs.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
OTHERS := .runtimes
DOCS   := .docs-venv
TRAIN  := .train-venv

RUNTIME_TESTS := tests/backends tests/cli tests/compat tests/contract tests/model tests/onnx

SEEDS   ?= 0:1000000
MINUTES ?= 6
JOBS    ?= 1
QUICK   ?=

.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(READY)  ## the environment, with the package in it

$(READY): setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# OpenCV 4 in the place of OpenCV 5, OpenVINO and ncnn: without what they use to report to their makers or fetch models.
$(OTHERS)/.ready: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(OTHERS) \
		'opencv-python<5' openvino ncnn
	@touch $@

demo: $(READY)  ## fetch yolov4-tiny, detect on a photo, say where the picture is
	$(BIN)/python tools/demo.py

test: $(READY) $(OTHERS)/.ready  ## the whole suite, then the tests of runtimes again under OpenCV 4, with OpenVINO and ncnn
	$(BIN)/python -m pytest -n auto
	PYTHONPATH=$(OTHERS) $(BIN)/python -m pytest -n auto $(RUNTIME_TESTS)

$(TRAIN)/.ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(TRAIN)
	$(TRAIN)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,torch]'
	@touch $@

train-test: $(TRAIN)/.ready  ## the tests of PyTorch modules, of training and of claims, with those that take minutes
	$(TRAIN)/bin/python -m pytest -n auto -m 'heavy or not heavy' tests/pytorch tests/train tests/claims

train-demo: $(TRAIN)/.ready  ## draw pictures, train a detector on them, run it on every back end (5 minutes)
	$(TRAIN)/bin/python -m tools.train.demo

train-kill: $(TRAIN)/.ready  ## kill a training at 20 random moments, and see that it goes on bit by bit (5 minutes)
	$(TRAIN)/bin/python -m tools.train.kill

claims: $(TRAIN)/.ready  ## measure the claims of the CSPNet paper, and write cfgs/CLAIMS.md (a night; goes on where it stopped; QUICK=--quick: 10 minutes)
	$(TRAIN)/bin/python -m tools.claims $(QUICK)

lint: $(READY)  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)  ## rewrite the sources in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(DOCS)/.ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

docs: $(DOCS)/.ready  ## the documentation site, in .docs/html; a warning is an error
	$(DOCS)/bin/python -m tools.docs

cfgs: $(READY)  ## write the networks of the CSPNet paper, their table and pictures anew
	$(BIN)/python -m tools.networks

corpus: $(READY)  ## compile and export every cfg of ../shared/cfgs, and rewrite the table of results
	$(BIN)/python tools/corpus.py --export

fuzz: $(READY) $(OTHERS)/.ready  ## look for inputs that break something, 7 minutes: MINUTES=7 SEEDS=0:1000000 JOBS=1
	$(BIN)/python -m tools.fuzz all --seeds $(SEEDS) --minutes $(MINUTES) --jobs $(JOBS)
	PYTHONPATH=$(OTHERS) $(BIN)/python -m tools.fuzz networks --seeds $(SEEDS) --minutes 1 --jobs $(JOBS)

bench: $(READY)  ## darknet-py beside what a user would pick instead (minutes; wants a quiet machine)
	$(BIN)/python -m tools.bench.performance --write

bench-table5: $(READY)  ## time the detectors of the paper's Table 5 on this machine (minutes; wants a quiet one)
	$(BIN)/python -m tools.bench.table5 --write

bench-training: $(TRAIN)/.ready  ## a training iteration beside plain PyTorch, and the loader (minutes; wants a quiet machine)
	$(TRAIN)/bin/python -m tools.bench.training

bench-linear: $(READY)  ## whether parsing and compiling take 4 times as long for 4 times as much (a minute)
	$(BIN)/python -m tools.bench.linear --write

clean:  ## remove what was built here
	rm -rf $(VENV) $(OTHERS) $(DOCS) $(TRAIN) .docs .bench build dist *.egg-info

.PHONY: help install demo test train-test train-demo train-kill claims lint format docs cfgs corpus fuzz bench bench-table5 bench-training bench-linear clean
