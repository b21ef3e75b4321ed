# Everything a person does with the project. `make help` lists the targets; each builds the environment it needs.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
OTHERS := .runtimes
DOCS   := .docs-venv
TRAIN  := .train-venv
BATCH  := .batch-venv
SERVE  := .serve-venv
WEBNPM := .web-npm
FORMATS := .formats-venv

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

demo: $(READY)  ## find codes in a picture that is here, then fetch yolov4-tiny and detect on a photo; say where the pictures are
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

train-overfit: $(TRAIN)/.ready  ## yolov4-tiny learns eight pictures by heart (8 minutes of one core)
	$(TRAIN)/bin/python -m tools.train.overfit

codes-score: $(READY)  ## score what finds codes in ../shared/images, and write the tables (minutes)
	$(BIN)/python -m tools.train.codes.score --markdown tools/train/codes/CONTESTANTS.md

weights: $(TRAIN)/.ready  ## train the detector of codes from nothing (8 core-hours; stops and goes on)
	$(TRAIN)/bin/python -m tools.train.codes.train

codes-ship: $(TRAIN)/.ready  ## the trained detector of codes into weights/, with all scores and its card (10 minutes)
	-test ! -x "$$(command -v npm)" || npm install --silent --no-audit --no-fund --prefix $(WEBNPM) onnxruntime-web
	$(TRAIN)/bin/python -m tools.train.codes.ship

codes-sheet: $(READY)  ## some of the pictures that it learns from, with their boxes, in one file
	$(BIN)/python -m tools.train.codes.sheet

$(BATCH)/.ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(BATCH)
	$(BATCH)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,batch,ray]' pyyaml pyspark
	@touch $@

batch-test: $(BATCH)/.ready  ## the tests of batch work, with Parquet, stores, Ray, and Spark where there is a Java runtime
	$(BATCH)/bin/python -m pytest -m 'heavy or not heavy' tests/batch

batch-kill: $(BATCH)/.ready  ## kill the processes of batch works at 50 random moments, and Ray's at 20 (half an hour)
	$(BATCH)/bin/python -m tools.batch.kill --ray 20

batch-scale: $(BATCH)/.ready  ## time batch work on processes and on Ray, and its memory (half an hour; wants a quiet machine)
	$(BATCH)/bin/python -m tools.batch.scale

$(SERVE)/.ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(SERVE)
	$(SERVE)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,serve]' 'tritonclient[http]' \
		openapi-spec-validator jsonschema pyyaml
	-test ! -x "$$(command -v npm)" || npm install --silent --prefix $(WEBNPM) playwright-core
	@touch $@

serve-test: $(SERVE)/.ready  ## the tests of the server, with real clients, and in Chromium where that and Node are installed
	$(SERVE)/bin/python -m pytest tests/serve tests/model/test_triton.py

serve-load: $(SERVE)/.ready  ## the server beside a loop, and at three times its load: CFG=... WEIGHTS=... PICTURE=... (minutes)
	$(SERVE)/bin/python -m tools.serve.load $(CFG) $(WEIGHTS) $(PICTURE) --write

serve-hostile: $(SERVE)/.ready  ## ten thousand malformed requests: CFG=... WEIGHTS=... PICTURE=... (minutes)
	$(SERVE)/bin/python -m tools.serve.hostile $(CFG) $(WEIGHTS) $(PICTURE) --write

serve-stops: $(SERVE)/.ready  ## stop a server 40 times while 48 clients are busy, and count what they have lost (5 minutes)
	$(SERVE)/bin/python -m tools.serve.stops --write

$(FORMATS)/.ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(FORMATS)
	$(FORMATS)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,torch,openvino,ncnn,litert]'
	@touch $@

formats-test: $(FORMATS)/.ready  ## the tests of export formats, and of pages, where all their runtimes are installed
	$(FORMATS)/bin/python -m pytest -n auto tests/model tests/backends tests/test_pages.py

formats-check: $(FORMATS)/.ready  ## every golden network in every format, run beside NumPy; writes the table (half an hour)
	$(FORMATS)/bin/python -m tools.formats --half --write

formats-known: $(FORMATS)/.ready $(WEBNPM)/.ready  ## networks that people use in every format, and what fewer bits lose; writes the table (half an hour)
	$(FORMATS)/bin/python -m tools.formats.known --write

formats-cost: $(FORMATS)/.ready $(WEBNPM)/.ready  ## seconds and memory of writing a network in every format: CFG=... WEIGHTS=...; writes the table
	$(FORMATS)/bin/python -m tools.formats.cost $(CFG) $(WEIGHTS) --write

# Pyodide of the release that the page is tested with.
$(WEBNPM)/.ready:
	npm install --silent --no-audit --no-fund --prefix $(WEBNPM) onnxruntime-web pyodide@0.27.7 playwright-core jpeg-js
	@touch $@

tab: $(READY) $(WEBNPM)/.ready  ## the page that compiles in a browser tab, as the folder .tab for any static host
	$(BIN)/python -m tools.tab .tab --npm $(WEBNPM)

web-test: $(READY) $(WEBNPM)/.ready  ## the tests of pages that run the network and the compiler, in Node and Chromium
	$(BIN)/python -m pytest tests/web

claims: $(TRAIN)/.ready  ## measure what is missing of the CSPNet paper's claims, and write cfgs/CLAIMS.md (a night; goes on where it stopped; HOURS=1: begins no training after that; QUICK=--quick: tests itself, minutes)
	$(TRAIN)/bin/python -m tools.claims $(QUICK) $(HOURS:%=--hours %)

conformance: $(READY) $(OTHERS)/.ready $(TRAIN)/.ready  ## the conformance kit run on every program that is here, and its scoreboard (minutes)
	CONFORMANCE_RUNTIMES=$(CURDIR)/$(OTHERS) CONFORMANCE_TORCH=$(CURDIR)/$(TRAIN)/bin/python \
		$(BIN)/python -m tools.conformance score --write

conformance-wheel: $(READY)  ## the conformance kit as a wheel, in dist
	$(BIN)/python -m tools.conformance build --wheel dist

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
	$(BIN)/python -m tools.corpus --export

fuzz: $(READY) $(OTHERS)/.ready  ## look for inputs that break something, 7 minutes: MINUTES=7 SEEDS=0:1000000 JOBS=1
	$(BIN)/python -m tools.fuzz all --seeds $(SEEDS) --minutes $(MINUTES) --jobs $(JOBS)
	PYTHONPATH=$(OTHERS) $(BIN)/python -m tools.fuzz networks --seeds $(SEEDS) --minutes 1 --jobs $(JOBS)

bench: $(READY)  ## darknet-py beside what a user would pick instead (an hour; wants a quiet machine)
	$(BIN)/python -m tools.bench.performance --write

bench-table5: $(READY)  ## time the detectors of the paper's Table 5 on this machine (minutes; wants a quiet one)
	$(BIN)/python -m tools.bench.table5 --write

bench-training: $(TRAIN)/.ready  ## a training iteration beside plain PyTorch, and the loader (minutes; wants a quiet machine)
	$(TRAIN)/bin/python -m tools.bench.training

bench-linear: $(READY)  ## whether parsing and compiling take 4 times as long for 4 times as much (a minute)
	$(BIN)/python -m tools.bench.linear --write

clean:  ## remove what was built here
	rm -rf $(VENV) $(OTHERS) $(DOCS) $(TRAIN) $(BATCH) $(SERVE) $(WEBNPM) $(FORMATS) .tab .docs .bench build dist *.egg-info

.PHONY: $(shell awk -F: '/^[a-z0-9-]+:/ { print $$1 }' $(firstword $(MAKEFILE_LIST)))
