# What a checkout is worked on with, inside a virtual environment. Each target is one or two commands,
# to be typed by hand where there is no make.

PYTHON ?= python

.PHONY: setup test quick lint format docs screenshots examples ci

setup: ## install the explorer and what tests and checks need
	$(PYTHON) -m pip install -r requirements-dev.txt

test: ## run all tests
	$(PYTHON) -m pytest

quick: ## run all tests but those in a browser
	$(PYTHON) -m pytest -m "not browser"

lint: ## check style, format and types
	ruff check .
	ruff format --check .
	mypy

format: ## correct what can be corrected
	ruff check --fix .
	ruff format .

docs: ## write docs/reference.md, tables of other documents, and the catalogues' messages
	$(PYTHON) docs/make_reference.py
	$(PYTHON) docs/make_architecture.py
	$(PYTHON) docs/make_settings.py
	$(PYTHON) docs/make_lessons.py
	$(PYTHON) docs/make_catalogue.py

screenshots: ## take the pictures of README.md; needs Chromium
	$(PYTHON) docs/take_screenshots.py

examples: ## train the recorded runs that ship with the explorer; takes minutes
	$(PYTHON) -m explorer record explorer/runs/recorded/tutorial.toml

ci: ## all that must hold before a change lands, in a fresh environment
	.ci/run
