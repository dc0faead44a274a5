"""The README says what is true: its figures come from the result files, its pictures and commands exist."""

import re
from pathlib import Path

import pytest

from scripts.readme_tables import BENCHMARK, filled
from ser_core.models.checkpoint import available_models

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.skipif(not available_models() or not BENCHMARK.is_file(), reason="needs the shipped results")
def test_figures_are_those_of_the_result_files():
    assert filled(README) == README
    assert "| speech pooled |" in README


def test_pictures_and_linked_files_exist():
    targets = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_commands_exist():
    scripts = set(re.findall(r"python -m scripts\.(\w+)", README))
    assert scripts >= {"predict", "evaluate", "train", "prepare_corpora", "benchmark"}
    assert [name for name in scripts if not (ROOT / "scripts" / f"{name}.py").is_file()] == []
    targets = set(re.findall(r"\bmake (app|test|setup|lint|train)\b", README))
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, re.M) for target in targets)
