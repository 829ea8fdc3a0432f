# `make run` and `make test` are all a newcomer needs: Python 3.11 or later with venv, nothing else.
# Everything is installed into .venv; `make clean` removes it again.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
SERVICE := $(DESTDIR)/srv/realtime-avatar
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt

# Says what is wrong with the Python that would be used, if anything.
define usable
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or later is needed and none was found;" \
		"install it (https://www.python.org/downloads/), or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is older than Python 3.11;" \
		"name a newer one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) has no venv module;" \
		"install it (Debian, Ubuntu: apt install python3-venv), or name another: make PYTHON=/path/to/python3.11" >&2; exit 2; }
endef

.PHONY: setup run test check test-system bench assets web wheel install release clean

setup: .venv/.base .venv/.dev      ## make .venv with everything: to run it and to work on it

run: .venv/.base                   ## talk to it: http://localhost:8080
	@$(BIN)/python -m serve_app.page --or-plain
	$(BIN)/avatar run

test: .venv/.dev                   ## the tests: no GPU, no network, no Ray, a few minutes
	$(BIN)/python -m pytest -n auto --dist loadfile --cov=streaming --cov-branch --cov-fail-under=100

check: .venv/.dev                  ## format, lint, types, who may import whom, every file that deploys us
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m cluster.check

test-system: .venv/.system         ## the tests of whole programs: Ray, servers, wheels, real engines
	$(BIN)/python -m pytest -m "(system or ray) and not long" --durations 30

bench: .venv/.dev                  ## measure latency and cost on this machine: the tables of docs/performance.md
	$(BIN)/python -m serve_app.bench

assets: .venv/.dev                 ## paint the default portrait anew
	$(BIN)/python -m actors.face.portrait.paint

web: .venv/.dev                    ## build the page, check its types and run its tests
	$(BIN)/python -m serve_app.page --check

wheel: .venv/.dev                  ## wheel and source archive into dist/, with the built page
	rm -rf build dist
	$(BIN)/python -m serve_app.page --pack
	$(BIN)/python -m build --outdir dist .

install:                           ## as root, for systemd: program and page into /srv/realtime-avatar, and its unit
	$(usable)
	$(PYTHON) -m venv $(SERVICE)
	$(SERVICE)/bin/python -m serve_app.page --pack --or-plain
	rm -rf build
	@echo "make: installing into $(SERVICE) (up to 1.5 GB, a minute or more)"
	$(SERVICE)/bin/python -m pip --disable-pip-version-check install --quiet -c constraints.txt .
	install -D -m 644 cluster/systemd/realtime-avatar.service $(DESTDIR)/etc/systemd/system/realtime-avatar.service

release: .venv/.dev                ## the long ones: every death 20 times, an hour of endurance, every table of docs/ anew
	$(BIN)/python -m pytest -m "system or ray" tests/system/test_ray.py --kills 20 -q --no-header --durations 10 > docs/release.txt || { tail -40 docs/release.txt; exit 1; }
	$(BIN)/python -m pytest -m "system or ray" --ignore tests/system/test_ray.py --kills 20 --faults docs/runbook.md
	$(BIN)/python -m serve_app.bench --long --write docs/performance.md

clean:                             ## remove what the other targets made
	rm -rf .venv build dist serve_app/_data serve_app/web/dist serve_app/web/package serve_app/web/node_modules *.egg-info .coverage .coverage.* .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find actors serve_app streaming tests -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- the virtual environment -------------------------------------------------------------------------------

.venv/bin/pip:
	$(usable)
	$(PYTHON) -m venv .venv

.venv/.base: pyproject.toml constraints.txt | .venv/bin/pip
	@echo "make: installing into .venv (up to 1.5 GB, a minute or more)"
	$(PIP) -e .
	@touch $@

.venv/.dev: .venv/.base
	$(PIP) -e '.[dev]'
	@touch $@

.venv/.system: .venv/.dev          # a model file that comes in a package; nothing of the package is run
	$(PIP) --no-deps pipecat-ai==1.14.0
	@touch $@
