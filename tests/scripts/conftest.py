"""Fixtures of the script tests: recordings, working folders and small networks."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from scripts import evaluate
from ser_core import paths
from ser_core.data.protocols.splits import protocol_split
from ser_core.evaluation.results import save_result
from ser_core.training import recipes
from tests.make_corpus import write_crema_d, write_wav
from tests.make_results import leak_ids, make_result, three_results


@pytest.fixture
def good(tmp_path, speech) -> str:
    return str(write_wav(tmp_path / "good.wav", speech))


@pytest.fixture
def others(tmp_path, speech) -> list[str]:
    """Three further clips of the speaker of `good`."""
    return [str(write_wav(tmp_path / f"other{i}.wav", speech * (0.9 - 0.1 * i))) for i in range(3)]


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
def run_evaluate(workbench, capsys):
    """A function that runs `evaluate`: exit code, standard output, standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = evaluate.main(list(arguments))
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def small_networks(monkeypatch, new_model):
    monkeypatch.setattr(recipes, "build_model", lambda name, config: new_model().train())


@pytest.fixture
def results_folder(tmp_path, monkeypatch):
    """The results folder of the program for one test, empty."""
    monkeypatch.setattr(paths, "RESULTS", tmp_path / "results")
    (tmp_path / "results").mkdir()
    return tmp_path / "results"


@pytest.fixture
def three_models(results_folder):
    for result in three_results():
        save_result(result, results_folder)
    return results_folder


@pytest.fixture
def leaky_results(results_folder):
    """`resonet` right on 39 of 52 clips, `simple-cnn` on none, and the leaked ResoNet on all it was trained on."""
    known, ids = protocol_split("resonet-redrawn").train, leak_ids()
    right = np.arange(52) % 4 > 0
    save_result(make_result("resonet", ids, right), results_folder)
    save_result(make_result("simple-cnn", ids, np.zeros(52, bool)), results_folder)
    save_result(make_result("extra", ids, right), results_folder)
    save_result(make_result("resonet-leak", ids, [i in known for i in ids]), results_folder)
    return results_folder
