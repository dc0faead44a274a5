# make app | check | test | setup | lint | types | docs | train        (PORT= the app's port, PYTHON= the interpreter to start from)
PYTHON ?= python3
PORT ?= 8501
BIN := .venv/bin
# Bytecode is left to the first import, if Python may write it then: most modules of the packages are never imported.
INSTALL := pip install --quiet $(if $(PYTHONDONTWRITEBYTECODE),,--no-compile)
# It takes half the processor time of the pip that comes with Python 3.11.
PIP := pip==26.3
QUICK := not slow and not shipped and not browser and not corpora and not gpu

.PHONY: app check test setup lint types docs train

app: .venv/app.txt
	$(BIN)/python -m scripts.serve --port $(PORT)

# For daily work: what takes more than seconds or a browser is left to `make test`.
check: lint types
	$(BIN)/pytest -n 2 --dist loadscope -m "$(QUICK)"

test: .venv/test.txt
	$(BIN)/pytest -n 3 --dist loadscope --no-loadscope-reorder

setup: .venv/test.txt

lint: .venv/test.txt
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/test.txt
	$(BIN)/mypy

docs: .venv/test.txt
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "site/index.html"

train: .venv/app.txt
	$(BIN)/python -m scripts.prepare_corpora
	$(BIN)/python -m scripts.distill --fold 0

# The two stamps hold what was installed: the second call does nothing until a requirement changes.
.venv/app.txt: requirements.txt constraints.txt
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || (echo "Python 3.11 or newer is needed; name one with PYTHON=python3.11"; exit 1)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m $(INSTALL) $(PIP)
	$(BIN)/python -m $(INSTALL) -r requirements.txt -c constraints.txt
	cp requirements.txt $@

.venv/test.txt: .venv/app.txt $(wildcard requirements-*.txt)
	$(BIN)/python -m $(INSTALL) -r requirements-dev.txt -c constraints.txt
	cp requirements-dev.txt $@
