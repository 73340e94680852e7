# `make demo` and `make test` do everything a fresh Debian 12 with make, git and root (or sudo) needs; see README.md.
SHELL := /bin/sh
PYTHON ?= /usr/bin/python3
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60

.DEFAULT_GOAL := help
.PHONY: go-example help demo test build packages models samples debug asan tsan lint fuzz aarch64 bench bench-pool bench-peers bench-whisper client-test web-test web-screenshots install clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build models samples ## transcribe real recordings in parallel and print text, speed and error rate
	@$(PYTHON) tools/demo.py

test: build models samples ## build everything and run all tests
	@$(PYTHON) tools/fetch_models.py whisper-tiny.en
	tools/run_ctest.sh release $(JOBS)

build: packages ## release build: build/release/bin/tutti
	@cmake --preset release
	ninja -C build/release -j $(JOBS)

packages: ## install the Debian packages that are missing (packages.txt)
	@tools/install_packages.sh build

models: packages ## fetch the default models into .cache/models
	@$(PYTHON) tools/fetch_models.py fsmn-vad whisper-base

samples: packages ## make the sample recordings in .cache/samples
	@$(PYTHON) tools/make_samples.py

debug: packages ## debug build
	@cmake --preset debug && ninja -C build/debug -j $(JOBS)

# TSan cannot place its shadow memory under high-entropy address randomisation.
FIXED_ADDRESSES = $(shell setarch -R true 2>/dev/null && echo setarch -R)

asan: packages models samples ## all tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@cmake --preset asan && ninja -C build/asan -j $(JOBS)
	tools/run_ctest.sh asan $(JOBS)

tsan: packages models samples ## all tests under ThreadSanitizer
	@cmake --preset tsan && ninja -C build/tsan -j $(JOBS)
	$(FIXED_ADDRESSES) tools/run_ctest.sh tsan $(JOBS)

lint: packages models ## formatting, clang with -Wthread-safety, clang-tidy, floors, twin READMEs
	@tools/install_packages.sh check
	@tools/lint.sh $(JOBS)

fuzz: packages ## every fuzzer for FUZZ_SECONDS (60)
	@tools/install_packages.sh check
	@cmake --preset fuzz && ninja -C build/fuzz -j $(JOBS) fuzzers
	@tools/fuzz.sh $(FUZZ_SECONDS) $(JOBS)

aarch64: packages models ## cross build for 64-bit Arm; tests of the numeric rooms under qemu
	@tools/install_packages.sh aarch64
	@tools/aarch64_sysroot.sh
	@cmake --preset aarch64 && ninja -C build/aarch64 -j $(JOBS) tutti_cli frontend_test nn_test models_test
	tools/run_ctest.sh aarch64 $(JOBS)

bench: build models ## speed of each part on this machine
	@for part in frontend vad encoder asr; do build/release/bin/tutti bench $$part || exit 1; done

SYNTHETIC = .cache/models/synthetic-paraformer-large
POOL_PARTS ?=

bench-pool: build models samples $(SYNTHETIC)/model.pt ## the process pool beside threads, chaos with 500 recordings, Python beside the program
	$(PYTHON) bench/process_pool.py $(POOL_PARTS)
	PYTHONPATH=build/release/python $(PYTHON) bench/python_throughput.py

$(SYNTHETIC)/model.pt: tools/make_synthetic_model.py
	$(PYTHON) tools/make_synthetic_model.py $(SYNTHETIC)

PEERS = .cache/peers
PEER_PARTS ?=

bench-peers: build models samples $(PEERS)/installed ## against FunASR, ONNX Runtime, sherpa-onnx, faster-whisper and whisper.cpp (6 GB from PyPI)
	@ninja -C build/release in_turn whisper_tokens
	@OMP_NUM_THREADS=$(JOBS) $(PEERS)/venv/bin/python bench/peers/run.py $(PEER_PARTS)

$(PEERS)/installed: bench/peers/requirements.txt
	$(PYTHON) -m venv $(PEERS)/venv
	$(PEERS)/venv/bin/pip install -q -r $<
	@touch $@

WHISPER_VENV = .cache/whisper-venv

bench-whisper: build models samples $(WHISPER_VENV)/installed ## the part of bench-peers against faster-whisper and whisper.cpp (0.4 GB)
	@ninja -C build/release in_turn whisper_tokens
	@$(WHISPER_VENV)/bin/python bench/peers/run.py whisper whisper-tokens

$(WHISPER_VENV)/installed: bench/peers/requirements.txt
	$(PYTHON) -m venv $(WHISPER_VENV)
	$(WHISPER_VENV)/bin/pip install -q $$(grep -E '^(ctranslate2|faster-whisper|pywhispercpp)==' $<)
	@touch $@

WEB = .cache/web-test
TUTTI_WEB_URL ?=
FAKE_SERVER = $(WEB)/venv/bin/python tests/web/with_fake_server.py
# Playwright brings a Node of its own, newer than Debian 12's.
WEB_NODE = $(abspath $(wildcard $(WEB)/venv/lib/python3*/site-packages/playwright/driver))

web-test: samples $(WEB)/installed ## the web page in Chromium, and the examples of docs/http.md, against TUTTI_WEB_URL (a fake server)
	cd tests/web && TUTTI_WEB_URL=$(TUTTI_WEB_URL) ../../$(WEB)/venv/bin/python -m unittest page_test access_test
	PATH="$(WEB_NODE):$$PATH" $(if $(TUTTI_WEB_URL),TUTTI_WEB_URL=$(TUTTI_WEB_URL),$(FAKE_SERVER)) $(WEB)/venv/bin/python tests/docs/http_examples_test.py

CLIENT = .cache/client-test

client-test: build models samples $(CLIENT)/installed $(WEB)/installed ## OpenAI's and FunASR's clients, schemathesis, the examples of docs/http.md and the page against tutti serve
	PATH="$(WEB_NODE):$$PATH" $(PYTHON) tests/clients/run.py build/release/bin/tutti $(abspath $(CLIENT))/venv/bin/python $(CLIENT)/npm \
	  $(abspath $(WEB))/venv/bin/python

$(CLIENT)/installed: tests/clients/requirements.txt tests/docs/requirements.txt tests/clients/package.json tests/clients/funasr_client.txt \
    tests/clients/funasr_python.txt
	@tools/install_packages.sh web client
	@command -v npm >/dev/null || tools/install_packages.sh npm  # NodeSource's nodejs brings one and excludes Debian's
	$(PYTHON) -m venv $(CLIENT)/venv
	$(CLIENT)/venv/bin/pip install -q -r $<
	$(CLIENT)/venv/bin/pip install -q --upgrade --target $(CLIENT)/funasr-client -r tests/clients/funasr_client.txt
	$(CLIENT)/venv/bin/pip install -q --upgrade --target $(CLIENT)/funasr-python -r tests/clients/funasr_python.txt
	@mkdir -p $(CLIENT)/npm && cp tests/clients/package.json $(CLIENT)/npm
	npm install --prefix $(CLIENT)/npm --no-audit --no-fund --silent
	@touch $@

web-screenshots: $(WEB)/installed ## pictures of the web page in .cache/web-test/screenshots
	$(WEB)/venv/bin/python tests/web/screenshots.py $(WEB)/screenshots

$(WEB)/installed: tests/web/requirements.txt tests/docs/requirements.txt packages.txt
	@tools/install_packages.sh web
	$(PYTHON) -m venv $(WEB)/venv
	$(WEB)/venv/bin/pip install -q -r tests/web/requirements.txt -r tests/docs/requirements.txt
	@touch $@

go-example: build models samples ## examples/go against an installed tree (the C interface through cgo)
	@tools/install_packages.sh go
	$(PYTHON) tests/install/install_test.py $(abspath build/release) cmake c++ go

install: build ## install into PREFIX (/usr/local)
	cmake --install build/release --prefix $(PREFIX)

clean: ## remove build/; .cache (models, samples) stays
	rm -rf build
