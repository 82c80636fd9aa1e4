# Everything runs on Node 24, from the PATH or, if that one is older, from the locked packages in .toolchain.
# Needs git, make and any Node from 20 up with its npm. `make` alone lists the targets.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules

path_node := $(shell node -p '(([a, b]) => a > 24 || (a == 24 && b >= 7))(process.versions.node.split(".")) ? process.execPath : ""' 2>/dev/null)
toolchain := .toolchain/node_modules
toolchain_stamp := $(if $(path_node),,$(toolchain)/.stamp)
NODE := $(or $(path_node),$(CURDIR)/$(toolchain)/.bin/node)
# glibc keeps freed memory separately for each thread: a single heap saves 20 MB after a list of 20,000 pods, at no cost. The
# image sets the same.
export MALLOC_ARENA_MAX := 1
# Node strips types with WebAssembly, again in each process and thread unless the result is cached. With the cache a test file
# starts in half the time, and V8 has no WebAssembly to free in an ending thread, which sometimes ends the process
# (github.com/nodejs/node/issues/64500).
export NODE_COMPILE_CACHE := $(CURDIR)/node_modules/.cache/node
export PATH := $(dir $(NODE)):$(CURDIR)/node_modules/.bin:$(PATH)

# Defence in depth (SECURITY.md): reads anything, writes only the state, and starts programs only if the kubeconfig names one.
# `make run SANDBOX=` turns it off.
kubeconfigs = $(or $(KW_KUBECONFIG),$(subst :, ,$(KUBECONFIG)),$(HOME)/.kube/config)
execs = $(shell grep -lsE '^[[:space:]-]*exec:' $(kubeconfigs))
state := $(or $(WATCHCHAIN_STATE),$(or $(XDG_STATE_HOME),$(HOME)/.local/state)/watchchain)
# From Node 25 on, network access needs a flag, too, which 24 does not know.
allow_net = $(shell $(NODE) --allow-net -p '"--allow-net"' 2>/dev/null)
SANDBOX = --permission --disable-warning=SecurityWarning --allow-worker $(if $(execs),--allow-child-process) \
  --allow-fs-read=* "--allow-fs-write=$(state)*" \
  --disallow-code-generation-from-strings --disable-proto=delete $(allow_net)

tests = $(shell find src handlers test bench docs -name '*.test.ts' -not -path 'test/cluster/*' -not -path 'test/node/*')
# Two files at once; a hanging test fails by itself.
node_test := $(NODE) --test --test-concurrency=2 --test-timeout=300000 --test-reporter=./test/reporter.ts --test-reporter-destination=stdout

.PHONY: help demo run test test-faults ok check format lint types docs generated-docs bench build control-plane test-cluster test-node deps node

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

demo: deps ## the main job on an embedded API server: nothing else needed (ARGS="--forever")
	@exec $(NODE) src/main.ts demo $(ARGS)

run: deps ## your kubeconfig and config.toml (ARGS="-c other.toml")
	@mkdir -p -m 700 "$(state)" && exec $(NODE) $(SANDBOX) src/main.ts run $(ARGS)

test: deps ## all tests that need nothing else
	@$(node_test) $(tests)

test-faults: deps ## the long rounds of test/faults: kills, power cuts, storms (root for those that mount)
	@WATCHCHAIN_FAULTS=long $(node_test) --test-timeout=900000 $$(grep -lE 'LONG|onlyLong' test/faults/*.test.ts)

ok: check test ## what a change must pass: format, lint, types, generated docs, tests

check: format lint types generated-docs ## `ok` without the tests

format: deps
	@prettier --check --log-level warn .

lint: deps
	@oxlint --type-aware --deny-warnings

types: deps
	@tsc -p . && tsc -p src/web/client

docs: deps ## writes the pages and the picture that are made from the program
	@$(NODE) docs/generate.ts && $(NODE) docs/picture.ts

generated-docs: deps
	@$(NODE) docs/generate.ts --check && $(NODE) docs/picture.ts --check

build: deps ## dist/, as the published package and the image have it
	@npm run --silent build

bench: build ## each figure beside its denominator, from the same run
	@unset NODE_COMPILE_CACHE; exec $(NODE) bench/main.ts $(ARGS)

control-plane: ## builds etcd, the Kubernetes control plane, kubectl, kwok, helm and promtool, once, into a cache outside the checkout
	@test/control-plane/build.sh

test-cluster: deps ## the tests on the real control plane (KUBERNETES=1.34 for an older one)
	@dir=$$(test/control-plane/build.sh --print) || { status=$$?; test $$status = 69 -a -z "$$CI" && exit 0; exit $$status; }; \
	WATCHCHAIN_CONTROL_PLANE=$$dir $(node_test) --test-concurrency=1 test/cluster/*.test.ts

# In separate namespaces, so that everything the node uses and starts ends with the tests.
test-node: deps ## the image and the chart on a real node: kubelet, containerd, runc (Linux, root)
	@dir=$$(test/node/build.sh --print) && plane=$$(test/control-plane/build.sh --print) || { status=$$?; test $$status = 69 -a -z "$$CI" && exit 0; exit $$status; }; \
	WATCHCHAIN_NODE=$$dir WATCHCHAIN_CONTROL_PLANE=$$plane unshare --net --mount --pid --fork --kill-child --mount-proc \
	  sh -c '$(node_test) --test-timeout=900000 test/node/*.test.ts; exit $$?'

deps: node_modules/.stamp ## the set-up that all of them share: silent when nothing is missing
	@:

node: deps ## prints the path of the Node 24 that is used: $$(make -s node) src/main.ts ARGS
	@echo $(NODE)

node_modules/.stamp: package.json package-lock.json .npmrc $(toolchain_stamp)
	@command -v npm >/dev/null || { echo 'make: npm is missing: install Node 20 or later with its npm (https://nodejs.org)' >&2; exit 1; }
	@echo 'Installing the locked packages' >&2
	@npm ci --loglevel=error >&2
	@touch $@

$(toolchain)/.stamp: .toolchain/package.json .toolchain/package-lock.json .toolchain/.npmrc
	@command -v npm >/dev/null || { echo 'make: npm is missing: install Node 20 or later with its npm (https://nodejs.org)' >&2; exit 1; }
	@echo 'Installing Node 24 for this checkout: node on the PATH is $(or $(shell node -v 2>/dev/null),missing)' >&2
	@cd .toolchain && npm ci --loglevel=error >&2
	@$(CURDIR)/$(toolchain)/.bin/node --version >/dev/null || { echo "make: no Node 24 package for this platform: put Node 24.7 or later on the PATH" >&2; exit 1; }
	@touch $@
