# run, test, and what renews what is committed. `make` alone tells.

PYTHON := .venv/bin/python
CARGO_DENY_VERSION := 0.20.2

.PHONY: help run test lint supply-chain test-rust test-python test-container soak soak-crashes soak-simulation soak-contract bench bench-kernels golden golden-log clean

help:
	@echo 'make run             build and serve on 127.0.0.1:8080'
	@echo 'make test            everything but the container tests; installs what it needs'
	@echo 'make test-rust       formatting, lints and the Rust tests'
	@echo 'make test-python     the re-checker, the fixtures and the API contract, over HTTP'
	@echo 'make test-container  build the image, run it, and a cluster of three (needs a Docker engine)'
	@echo 'make supply-chain    look again at licences and sources, after Cargo.lock or deny.toml has changed'
	@echo 'make soak            the tests that get better with time: kills, power cuts, simulations (hours; parts: soak-crashes, soak-simulation, soak-contract)'
	@echo 'make bench           measure against hand-written axum, FastAPI, PyTorch, JAX, NumPy, OpenBLAS (half an hour)'
	@echo 'make bench-kernels   criterion benches of the matrix products and functions'
	@echo 'make golden          renew openapi.yaml and the fixtures that need no PyTorch'

run:
	@command -v cc >/dev/null || { echo 'A C compiler is needed for the mathematical functions: apt install gcc libc6-dev'; exit 1; }
	cargo run --release --locked

test: lint test-rust test-python
	@echo
	@echo 'All tests passed. Next: make run, or make test-container.'

lint: .tools/packages
	cargo fmt --check
	cargo clippy --all-targets --locked -- --deny warnings
	sha256sum --check --status tests/supply-chain.sha256 || $(MAKE) supply-chain

# What may be built in, and under which terms: it hangs on these two files alone, so it is looked at where one has changed.
supply-chain: .tools/cargo-deny
	.tools/cargo-deny --log-level error check bans licenses sources
	sha256sum Cargo.lock deny.toml > tests/supply-chain.sha256
	@echo 'Commit tests/supply-chain.sha256 with what has changed.'

test-rust: .tools/packages
	cargo test --locked

# The release, whose bits are the ones that ship.
test-python: .venv/ready
	cargo build --release --locked
	CHAINRULE_BINARY=target/release/chainrule $(PYTHON) -m pytest -q -p no:cacheprovider -n auto --dist worksteal tests/python

# What gets better with time; a failure prints the seed that brings it back.
soak: soak-crashes soak-simulation soak-contract

SOAK := $(PYTHON) -m pytest -v -p no:cacheprovider -n auto --dist worksteal

soak-crashes: .venv/ready
	cargo build --release --locked
	CHAINRULE_BINARY=target/release/chainrule KILL_ROUNDS=400 TRAIN_KILL_ROUNDS=40 POWER_CUT_ROUNDS=100000 \
	  KILL_POINT_ROUNDS=4 KILL_POINT_EVERY=1 FAILING_DISK_ROUNDS=0 DAMAGE_ROUNDS=2000 $(SOAK) tests/python/test_kill.py \
	  tests/python/test_power_cut.py tests/python/test_kill_points.py tests/python/test_failing_disk.py \
	  tests/python/test_damage.py tests/python/test_train_crash.py

soak-simulation: .tools/packages
	SIMULATIONS=200000 cargo test --release --locked --test it simulation

soak-contract: .venv/ready
	cargo build --release --locked
	CHAINRULE_BINARY=target/release/chainrule GRADE_CASES=100 CONTRACT_EXAMPLES=300 FLIPS_EVERY=1 $(SOAK) tests/python/test_grade.py \
	  tests/python/test_contract.py tests/python/test_recheck_flips.py

# Peers that cannot be installed are skipped with a word; BENCH="wire sqlite" measures these alone.
bench: .tools/packages
	cargo build --release --locked
	cargo build --release --locked --manifest-path bench/Cargo.toml --target-dir target/bench
	command -v wrk >/dev/null || apt-get install -y -q wrk
	[ -e .tools/bench/ready ] || bench/install
	python3 bench/run.py $(BENCH)

bench-kernels:
	cargo bench --locked --manifest-path bench/Cargo.toml --target-dir target/bench --bench kernels

test-container:
	tests/container/run
	tests/container/cluster

golden: .venv/ready
	UPDATE=1 cargo test --locked --test it contract
	$(PYTHON) tests/golden/worked_example.py
	$(PYTHON) tests/golden/numpy_random.py
	$(PYTHON) tests/golden/math_functions.py
	$(PYTHON) tests/golden/telephone.py
	cargo build --release --locked
	UPDATE=1 CHAINRULE_BINARY=target/release/chainrule $(PYTHON) -m pytest -q -p no:cacheprovider tests/python/test_snapshots.py
	@echo 'Renewed, but for the pytorch files: tests/golden/README.md says how.'
	git diff --stat

# For a new release: the log that every later one must answer with the same bytes.
golden-log: .venv/ready
	cargo build --release --locked
	CHAINRULE_BINARY=target/release/chainrule $(PYTHON) tests/python/golden_log.py

.venv/ready: tests/python/requirements.txt tests/python/requirements-alone.txt .tools/packages
	python3 -m venv .venv
	.venv/bin/pip install -q -r tests/python/requirements.txt
	.venv/bin/pip install -q --no-deps -r tests/python/requirements-alone.txt
	touch $@

# What the tests call, from Debian's packages: a C compiler, venv, curl, kill, a browser, and an emulated older CPU, for
# the promise that every CPU gives the same bits.
.tools/packages: tests/packages
	tests/packages
	mkdir -p .tools && touch $@

# Not optimized: it is built for one run, and its own release profile optimizes all of it as one piece on one core.
.tools/cargo-deny:
	mkdir -p .tools
	command -v cargo-deny >/dev/null || CARGO_PROFILE_DEV_DEBUG=0 cargo install --debug --locked cargo-deny@$(CARGO_DENY_VERSION)
	ln -sf "$$(command -v cargo-deny || echo $${CARGO_HOME:-$$HOME/.cargo}/bin/cargo-deny)" $@

clean:
	cargo clean
	rm -rf .venv .tools
