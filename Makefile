PYTHON ?= python3
PROFILE ?= embedded
BIN := .venv/bin
READY := .venv/.ready
SMOKE := build/smoke
MOST_MB := 22

.PHONY: figures test verify check-tree lab clean

figures: $(READY)
	$(BIN)/python -m kanbefair.execute --profile $(PROFILE)
	$(BIN)/python -m kanbefair.readme

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache --no-logo
	rm -rf $(SMOKE)
	$(BIN)/python -m kanbefair.execute --profile smoke --out $(SMOKE)
	$(BIN)/pytest -q --nbval --nbval-current-env -n 2 --dist loadfile -W default $(SMOKE)/results/smoke/notebooks
	$(BIN)/python -m kanbefair.verify 03_symbolic 05_vision
	$(BIN)/pytest -q -n 2 --dist loadfile

verify: $(READY)
	$(BIN)/python -m kanbefair.verify

check-tree:
	@! git ls-files --cached --ignored --exclude-standard | grep . || { echo "These files are ignored and yet tracked."; exit 1; }
	@git ls-tree -r --long HEAD | awk '{ bytes += $$4 } END { print "Tracked: " bytes / 1e6 " MB of at most $(MOST_MB)"; \
		exit bytes == 0 || bytes > $(MOST_MB) * 1e6 }'

lab: $(READY)
	$(BIN)/jupyter lab notebooks

clean:
	rm -rf .venv build

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@
