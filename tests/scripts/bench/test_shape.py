"""The figures of the source tree, from a small tree with known answers."""

import subprocess

import pytest

from scripts.bench import shape
from scripts.common.tables import fill_blocks
from ser_core import paths

TREE = {
    "app.py": "import pages.home",
    "ser_core/__init__.py": "",
    "ser_core/labels.py": "EMOTIONS = ()",
    "ser_core/audio/__init__.py": "",
    "ser_core/audio/__init__.pyi": "from .io import load as load",
    "ser_core/audio/io.py": "from ser_core.labels import EMOTIONS",
    "ser_core/models/__init__.py": "",
    "ser_core/models/base.py": "def f():\n    from ser_core.audio import load",
    "pages/home.py": "import pages.a",
    "pages/a.py": "from pages import b\nfrom ser_core.audio import load\nfrom ser_core.labels import EMOTIONS",
    "pages/b.py": "from pages.a import x\nfrom ser_core.models.base import f",
    "scripts/train.py": "from ser_core.audio import io\nimport numpy as np",
}


@pytest.fixture
def tree(tmp_path):
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_figures_of_a_small_tree(tree):
    files, largest, in_ser_core, in_pages, in_scripts, chain, *rest = shape.measure_shape(tree).values()
    circles, rooms, arrows, past_a_face, declared = rest
    assert (files, largest) == (10, 3)
    assert (in_ser_core, in_pages, in_scripts) == (2, 3, 1)
    assert chain == 7  # app, home, a and b (a circle), base, io (through a face), labels
    assert (circles, rooms) == (1, 6)  # labels, audio, models, home, a, b
    assert arrows == 8
    assert (past_a_face, declared) == (2, 1)  # models.base.f, and the module audio.io


def test_the_table_has_a_row_for_each_figure_and_replaces_the_one_of_the_page(tree):
    table = shape.shape_table({"before": shape.measure_shape(tree), "now": shape.measure_shape(tree)})
    assert table.splitlines()[0] == "|  | before | now |" and "| rooms | 6 | 6 |" in table
    page = "a\n<!-- shape -->\n<!-- /shape -->\nb\n"
    for _ in range(2):
        page = fill_blocks(page, {"shape": table})
    assert page == f"a\n<!-- shape -->\n\n{table}\n\n<!-- /shape -->\nb\n"


def test_the_page_has_the_table(tree):
    assert all(f"| {title} |" in shape.PAGE.read_text() for title in shape.measure_shape(tree))


@pytest.mark.slow
def test_a_commit_is_measured_as_the_tree_is(capsys):
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=paths.ROOT, capture_output=True, text=True)
    if head.returncode:
        pytest.skip("needs git")
    assert next(iter(shape.measure_commit("HEAD").values())) > 100
    assert shape.main(["no-such-commit"]) == 2 and "no-such-commit" in capsys.readouterr().err
