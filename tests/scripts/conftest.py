"""Fixtures of the script tests: recordings, working folders and small networks."""

import shutil
from pathlib import Path

import pytest

from scripts import evaluate
from ser_core import paths
from ser_core.training import recipes
from tests.make_corpus import write_crema_d, write_wav


@pytest.fixture
def good(tmp_path, speech) -> str:
    return str(write_wav(tmp_path / "good.wav", speech))


@pytest.fixture
def bad(tmp_path) -> str:
    (tmp_path / "bad.wav").write_text("this is no sound")
    return str(tmp_path / "bad.wav")


@pytest.fixture
def corpora(tmp_path, monkeypatch) -> Path:
    """SER_CORPORA and SER_CACHE for one test: two speakers of test fold 0, six emotions, one sentence."""
    folder = write_crema_d(tmp_path / "corpora", speakers=("1001", "1002"), sentences=("DFA",))
    monkeypatch.setenv("SER_CORPORA", str(folder))
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    return folder


FOLD_0_PART = ("crema_d-1001", "crema_d-1002", "crema_d-1019", "crema_d-1037")  # two of test, one of dev, one of train


@pytest.fixture
def workbench(tmp_path, monkeypatch, corpora, checkpoints) -> Path:
    """Results folder of fold 0; speaker-independent has the clips of `corpora`, and a few to train on."""
    folder = tmp_path / "protocols"
    shutil.copytree(paths.PROTOCOLS, folder)
    path = folder / "speaker-independent.csv"
    head, *rows = path.read_text().splitlines()
    kept = [row for row in rows if row.split(",")[2] in FOLD_0_PART and "_DFA_" in row]
    path.write_text("\n".join([head, *kept]) + "\n")
    monkeypatch.setattr(paths, "PROTOCOLS", folder)
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results")
    return tmp_path / "results" / "speaker-independent-0"


@pytest.fixture
def workplace(tmp_path, monkeypatch, crema_d, cache) -> Path:
    """A working folder with decoded recordings, where runs/ is written."""
    monkeypatch.setenv("SER_CORPORA", str(crema_d))
    monkeypatch.setenv("SER_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run_evaluate(workbench, capsys):
    """A function that runs `evaluate`: exit code, standard output, standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = evaluate.main(list(arguments))
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def small_networks(monkeypatch, new_model):
    monkeypatch.setattr(recipes, "build_model", lambda name, config: new_model().train())
