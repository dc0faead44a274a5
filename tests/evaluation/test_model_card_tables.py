"""The further sections of a model card come from the result files, figure by figure."""

import json

import pytest

from ser_core import paths
from ser_core.data.protocols.files import protocol_folds
from ser_core.data.protocols.splits import protocol_split
from ser_core.evaluation.model_cards.sections import evaluation_sections
from ser_core.evaluation.results import save_result
from tests.make_results import make_result

ROBUSTNESS = {
    "command": "python -m scripts.robustness m",
    "conditions": {"room": {"uar": 0.612, "lost": 0.034, "unchanged": 0.8, "answered": 0.75}},
}
NOVELTY = {
    "command": "python -m scripts.ood m",
    "n_speech": 300,
    "n_sounds": 200,
    "auroc": 0.9812,
    "auroc_with_vad": 0.9991,
    "fpr95": 0.021,
    "speech_called_unknown": 0.004,
    "kinds": {"music": {"auroc": 0.97, "answers": {"no speech": 190, "unknown": 10}}},
}
ENROLLED = {
    "command": "python -m scripts.speaker_adaptation m",
    "n_enrolled": 10,
    "uar": {"crema_d": 0.61, "mean": 0.6},
    "uar_enrolled": {"crema_d": 0.64, "mean": 0.635},
}


@pytest.fixture(autouse=True)
def results(tmp_path, monkeypatch):
    """The results folder, empty."""
    monkeypatch.setattr(paths, "RESULTS", tmp_path)


@pytest.fixture
def folder(tmp_path):
    for name, found in (("robustness", ROBUSTNESS), ("novelty", NOVELTY), ("enrolled", ENROLLED)):
        (tmp_path / f"{name}.json").write_text(json.dumps({"m": found, "other": {}}))
    return tmp_path


@pytest.mark.parametrize(
    "title, line",
    [
        ("Robustness", "| room | 61.2 | 3.4 | 80.0 | 75.0 |"),
        ("Non-speech sounds", "| music | 0.970 | 190 | 10 | 0 | 0 |"),
        ("With speaker enrolment", "| CREMA-D | 61.0 | 64.0 |"),
    ],
)
def test_each_part_has_its_figures_and_its_command(folder, title, line):
    (part,) = [part for part in evaluation_sections("m").split("\n## ") if part.startswith(title)]
    assert line in part.splitlines() and "\n`python -m scripts." in part


def test_the_figures_of_non_speech_sounds(folder):
    text = evaluation_sections("m")
    assert all(figure in text for figure in ("0.9812", "0.9991", "2.1 %", "0.4 %"))
    assert "Of 200 synthetic sounds" in text and "rejected 190;" in text and "abstaining 10 times" in text


def test_recorded_sounds_stand_alone_or_beside_synthetic_ones(tmp_path):
    recorded = {"n_sounds": 4, "n_speech": 300, "emotion_named": 0.25, "speech_missed": 0.012, "auroc": 0.91}
    recorded |= {
        "auroc_with_vad": 0.987,
        "classes": {"dog": {"no speech": 3, "an emotion": 1}},
        "command": "recorded m",
    }
    for entry, n_commands in (({"recorded": recorded}, 1), (NOVELTY | {"recorded": recorded}, 2)):
        (tmp_path / "novelty.json").write_text(json.dumps({"m": entry}))
        text = evaluation_sections("m")
        assert all(figure in text for figure in ("25.0 %", "0.987", "1.2 %", "rejects 3")) and "`recorded m`" in text
        assert text.count("\n`") == n_commands


def test_no_section_without_a_result(folder, monkeypatch):
    assert evaluation_sections("unknown") == ""
    monkeypatch.setattr(paths, "RESULTS", folder / "empty")
    assert evaluation_sections("m") == ""


def test_cross_validation_names_missing_folds(tmp_path):
    for fold in protocol_folds("speaker-independent")[:2]:
        clips = protocol_split("speaker-independent", fold).test[::40]
        save_result(make_result("m", clips, [True] * len(clips), "speaker-independent", fold), tmp_path)
    text = evaluation_sections("m")
    assert "| TESS | 2 | 100.0 [100.0, 100.0] |" in text and ": 2, 3, 4." in text
    assert "published" not in text  # other divisions of the speakers
