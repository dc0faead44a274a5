"""README and docs: figures come from the result files, links lead somewhere, commands exist and are all listed."""

import re
from pathlib import Path

import pytest

from scripts import results_tables
from ser_core.models.checkpoint import available_models

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    *(ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
README_BYTES = 9_000
LINK = re.compile(r"\]\((?!\w+:)([^)\s]+)\)")
FENCED = re.compile(r"```.*?```", re.S)


def _anchors(page: Path) -> set[str]:
    """Anchors of the headings of a page, as GitHub and mkdocs name them."""
    titles = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text()), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def _leads_nowhere(page: Path, link: str) -> bool:
    target, _, anchor = link.partition("#")
    path = page.parent / target if target else page
    return not path.exists() or bool(anchor and path.suffix == ".md" and anchor not in _anchors(path))


@pytest.mark.skipif(
    not available_models() or not results_tables.BENCHMARK.is_file(), reason="needs the shipped results"
)
def test_figures_are_those_of_the_result_files():
    blocks = results_tables.render_blocks()
    texts = [path.read_text() for path in results_tables.DOCUMENTS]
    assert [results_tables.fill_blocks(text, blocks) for text in texts] == texts
    assert [name for name in blocks if f"<!-- {name} -->" not in "".join(texts)] == []


def test_links_lead_somewhere():
    links = [(page, link) for page in PAGES for link in LINK.findall(FENCED.sub("", page.read_text()))]
    assert len(links) > 30
    assert [f"{page.name}: {link}" for page, link in links if _leads_nowhere(page, link)] == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_bytes()) <= README_BYTES


def test_commands_exist():
    text = "\n".join(page.read_text() for page in PAGES if page.name != "CHANGELOG.md")
    modules = set(re.findall(r"python -m (scripts\.[\w.]+\w)", text))
    assert modules >= {"scripts.predict", "scripts.evaluate", "scripts.train", "scripts.bench.benchmark"}
    assert [name for name in modules if not (ROOT / f"{name.replace('.', '/')}.py").is_file()] == []
    targets = set(re.findall(r"\bmake (app|test|setup|lint|train|docs|check)\b", text))
    makefile = (ROOT / "Makefile").read_text()
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.M)] == []


def _scripts() -> set[str]:
    """Modules below scripts that can be run."""
    files = [path for path in (ROOT / "scripts").rglob("*.py") if '__name__ == "__main__"' in path.read_text()]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files}


def test_the_list_of_commands_is_complete():
    rows = re.findall(r"^\| `(scripts\.[\w.]+)[^`]*` \| .+ \|$", (ROOT / "docs" / "commands.md").read_text(), re.M)
    assert set(rows) == _scripts() and len(rows) == len(set(rows))
