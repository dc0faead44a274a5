"""README and docs: figures come from the result files, links lead somewhere, commands exist and are all listed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

import ser_core
from scripts import results_tables
from scripts.common.tables import fill_blocks
from scripts.result_blocks import measured
from ser_core import __version__
from ser_core.evaluation import citation_bibtex
from ser_core.labels import EMOTIONS
from ser_core.models.checkpoint import Calibration, save_model
from ser_core.models.names import DEFAULT_MODEL, available_models

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


@pytest.mark.slow
@pytest.mark.shipped
@pytest.mark.skipif(not available_models() or not measured.BENCHMARK.is_file(), reason="needs the shipped results")
def test_figures_are_those_of_the_result_files():
    blocks = results_tables.render_blocks()
    texts = [path.read_text() for path in results_tables.DOCUMENTS]
    assert [fill_blocks(text, blocks) for text in texts] == texts
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
    files = {name: ROOT / name.replace(".", "/") for name in modules}
    assert [n for n, p in files.items() if not (p.with_suffix(".py").is_file() or (p / "__main__.py").is_file())] == []
    targets = set(re.findall(r"\bmake (app|test|setup|lint|train|docs|check)\b", text))
    makefile = (ROOT / "Makefile").read_text()
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.M)] == []


def _scripts() -> set[str]:
    """Modules below scripts that can be run."""
    files = [path for path in (ROOT / "scripts").rglob("*.py") if '__name__ == "__main__"' in path.read_text()]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__") for path in files}


def test_the_list_of_commands_is_complete():
    rows = re.findall(r"^\| `(scripts\.[\w.]+)[^`]*` \| .+ \|$", (ROOT / "docs" / "commands.md").read_text(), re.M)
    assert set(rows) == _scripts() and len(rows) == len(set(rows))


@pytest.mark.slow
def test_every_command_can_be_imported():
    """A name that has moved would be missed only when the command runs."""
    code = f"import importlib\nfor name in {sorted(_scripts())}: importlib.import_module(name)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_site_builds(tmp_path):
    """In strict mode: a page outside the navigation or a broken link is an error."""
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    home = (tmp_path / "index.html").read_text()
    assert 'href="results.html"' in home and 'href="cards/whisper-prosonet.html"' in home
    assert (tmp_path / "assets" / "screenshots" / "answer_light.png").is_file()
    assert not re.search(r'(src|<link[^>]*href)="https?://', home)  # opens without the internet


def test_the_example_of_a_new_model_keeps_the_contract():
    page = (ROOT / "docs" / "adding_a_model.md").read_text()
    names: dict = {}
    exec(re.findall(r"```python\n(.*?)```", page, re.S)[0], names)
    model = names["Pooling"](names["PoolingConfig"]()).eval()
    waveforms, lengths = torch.randn(3, 16_000), torch.tensor([16_000, 9_000, 5_000])
    for i, n in enumerate(lengths):
        waveforms[i, n:] = 0
    with torch.inference_mode():
        logits, alone = model(waveforms, lengths), model(waveforms[1:2, :9_000])
    assert logits.shape == (3, 8) and torch.allclose(logits[1:2], alone, atol=1e-4)


def test_the_citation_is_valid():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= citation.keys() and citation["license"] == "MIT"
    assert citation["version"] == __version__
    entry = citation_bibtex()
    assert entry.startswith("@software{") and all(f"{{{citation[key]}}}" in entry for key in ("title", "version"))
    assert citation["authors"][0]["name"] in entry and str(citation["date-released"].year) in entry


def test_the_readme_example_runs(checkpoints, new_model, tmp_path, monkeypatch, capsys):
    save_model(new_model(), checkpoints / DEFAULT_MODEL, "resonet", Calibration(), {})
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    monkeypatch.chdir(tmp_path)
    (example, *_) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 4 and printed[0].split()[0] in EMOTIONS
    assert all(line.split()[2] in EMOTIONS for line in printed[1:])


def test_the_list_of_public_names_is_complete():
    rows = re.findall(r"^\| `(\w+)[^`]*` \| .+ \|$", (ROOT / "docs" / "python.md").read_text(), re.M)
    assert sorted(rows) == sorted([*ser_core.__all__, "__version__"])


def test_the_trajectory_example_runs(checkpoints, new_model, monkeypatch, capsys):
    save_model(new_model(), checkpoints / DEFAULT_MODEL, "resonet", Calibration(), {})
    monkeypatch.chdir(ROOT)
    exec(re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.S)[0], {})
    printed = capsys.readouterr().out.splitlines()
    assert printed and all(line.split()[2] in EMOTIONS for line in printed)


def test_the_names_of_the_glossary_are_in_the_code():
    """Every word between backticks in the last column is one of the sources."""
    rows = re.findall(r"^\| .+ \| .+ \| (.+) \|$", (ROOT / "docs" / "glossary.md").read_text(), re.M)[1:]
    words = {word for row in rows for code in re.findall(r"`(.+?)`", row) for word in re.findall(r"\w+", code)}
    files = [path for part in ("ser_core", "scripts") for path in (ROOT / part).rglob("*.py")]
    known = {word for path in files for word in re.findall(r"\w+", path.read_text())} | {"py", *(f.stem for f in files)}
    assert len(words) > 60
    assert sorted(words - known) == []
