# Commands for a fresh clone. All make their own environment in .venv first.
#   make demo   train, evaluate, draw and export on the sample photographs (at most 5 minutes on 2 cores)
#   make test   run the tests, on TensorFlow and on JAX
#   make test-slow  run those that take more than a few seconds each
#   make docs   build the site from the guides: build/site/index.html
#   make fuzz   damage, kill and starve what must survive it
#   make test-lowest  run part of them with the lowest versions that are allowed
#   make wheel  build the wheel and try it in an empty environment

PYTHON ?= python3
BIN := .venv/bin
export TF_CPP_MIN_LOG_LEVEL ?= 2

# What computes with a backend; files, command lines and exports are tested on TensorFlow alone.
ON_JAX := $(addprefix tests/zoo/,networks restoring scoring tiling plug_and_play store/test_weight.py) \
	tests/recipes/training/test_devices.py tests/recipes/training/test_resident.py

.PHONY: demo test test-jax test-tensorflow test-slow test-lowest docs wheel fuzz

demo: .venv/ready
	$(BIN)/python -m recipes.demo --out runs/demo

test test-slow: .venv/ready test-jax test-tensorflow

test-slow: CHOSEN := -m slow

test-jax:
	KERAS_BACKEND=jax $(BIN)/python -m pytest -q -n auto $(CHOSEN) tests/asykeras $(ON_JAX)

test-tensorflow:
	KERAS_BACKEND=tensorflow $(BIN)/python -m pytest -q -n auto $(CHOSEN)

# Fails where a table is not up to date, a link leads nowhere, or a public name is not documented.
docs: .venv/docs
	$(BIN)/python -m recipes.publish.pages --check
	$(BIN)/python -m recipes.publish.stage build/docs
	$(BIN)/zensical build --strict --clean
	$(BIN)/python -m recipes.publish.site build/site

# With the lowest versions that pyproject.toml allows of what the packages and the exports need.
test-lowest:
	$(PYTHON) -m pip install --quiet uv
	$(PYTHON) -m uv venv --quiet --python 3.11 .venv/lowest
	$(PYTHON) -m uv pip install --quiet --python .venv/lowest/bin/python --resolution lowest-direct \
		-r pyproject.toml $(addprefix --extra ,jax onnx openvino litert hub photos) "pytest>=8.3" "scikit-image>=0.24" "scipy>=1.11"
	.venv/lowest/bin/python -m pytest -q tests/asykeras/test_losses.py tests/asykeras/test_metrics.py \
		tests/asykeras/test_resize.py $(addprefix tests/zoo/,exports networks pictures restoring runtimes store)

# Kills every command that writes, 20 times each, at random moments; restores images and reads weights,
# checkpoints and cubes that are changed at random; minutes.
fuzz: .venv/ready
	$(BIN)/python -m tests.fuzz.kill
	$(BIN)/python -m tests.fuzz.images --minutes 10
	$(BIN)/python -m tests.fuzz.weights --minutes 10

wheel: .venv/ready
	$(BIN)/python -m tests.wheel

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1" # the first that knows --group
	$(BIN)/python -m pip install --quiet --editable ".[plots]" --group dev
	touch $@

.venv/docs: .venv/ready
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	touch $@
