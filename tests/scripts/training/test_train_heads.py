"""scripts.train_heads: what it refuses before the work."""

import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest

from scripts import train_heads
from ser_core import paths
from ser_core.data.protocols.files import protocol_folds
from ser_core.data.protocols.splits import protocol_split
from ser_core.labels import EMOTIONS, check_possible_emotions
from ser_core.models.registry import MODELS
from ser_core.training.config import TrainingExample
from ser_core.training.recipes import head_recipe


@pytest.mark.parametrize(
    ("flags", "cause"),
    [(["prosonet"], "choose from"), (["whisper", "--check"], "leave out --check to write left-out-whisper.json")],
)
def test_a_model_without_a_head_and_a_missing_file_are_refused(monkeypatch, tmp_path, capsys, flags, cause):
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    monkeypatch.setattr(train_heads, "fold_reports", lambda *arguments: pytest.fail("it began"))
    with pytest.raises(SystemExit):
        train_heads.main([*flags, "--protocol", "left-out"])
    assert cause in capsys.readouterr().err


@pytest.fixture
def finished(workplace, monkeypatch):
    """A function that writes a finished run of each left-out corpus, with changes of what it records."""
    config = MODELS["whisper"][1]
    monkeypatch.setattr(train_heads, "load_model", lambda *arguments: SimpleNamespace(config=config))

    def write(**changes: object) -> None:
        for fold in protocol_folds("left-out"):
            folder = workplace / "runs" / f"whisper-left-out-{fold}" / "checkpoint"
            folder.mkdir(parents=True)
            training = {"protocol": "left-out", "fold": fold, "n_clips": len(protocol_split("left-out", fold).train)}
            recipe = asdict(head_recipe({}))
            del recipe["tuning"]  # as in a run of a version without it
            (folder / "config.json").write_text(json.dumps({"training": training | {"recipe": recipe} | changes}))

    return write


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"recipe": asdict(head_recipe({"epochs": 3}))}, "recipe.epochs 3"),
        ({"n_clips": 36}, "n_clips 36"),
        ({"folders": {"my-recordings": 12}}, "folders.my-recordings 12"),
    ],
)
def test_a_run_with_other_settings_is_not_scored(finished, monkeypatch, capsys, changes, named):
    monkeypatch.setattr(train_heads, "fold_reports", lambda *arguments: pytest.fail("it began"))
    finished(**changes)
    assert train_heads.main(["whisper", "--protocol", "left-out"]) == 2
    message = capsys.readouterr().err
    assert "runs/whisper-left-out-" in message and f": {named}. Rename its folder or delete it" in message


def test_a_run_of_another_architecture_is_not_scored(finished, monkeypatch, capsys):
    finished()
    config = replace(MODELS["whisper"][1], tuned_layers=(5,))
    monkeypatch.setattr(train_heads, "load_model", lambda *arguments: SimpleNamespace(config=config))
    assert train_heads.main(["whisper", "--protocol", "left-out"]) == 2
    assert ": model.tuned_layers [5]. Rename" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("uar", "said"),
    [(0.5, "equal"), (0.507, "may be the rounding of another processor"), (0.53, "differs from the recorded scores\n")],
)
def test_check_tells_a_difference_that_may_be_rounding(monkeypatch, results_folder, capsys, uar, said):
    def scores(uar: float) -> dict:
        return {"corpora": {"savee": {"n_clips": 120, "uar": uar, "enrolled": {"10": {"uar": 0.6}}}}}

    (results_folder / "left-out-whisper.json").write_text(json.dumps(scores(0.5)))
    monkeypatch.setattr(train_heads, "protocol_scores", lambda *arguments: scores(uar))
    monkeypatch.setattr(train_heads, "table", lambda corpora: "")
    assert train_heads.main(["whisper", "--protocol", "left-out", "--check"]) == (uar != 0.5)
    out = capsys.readouterr().out
    assert said in out and ("rounding" in out) == (uar == 0.507)


def test_without_decoded_recordings_it_says_what_to_run(finished, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "empty"))
    finished()
    assert train_heads.main(["whisper", "--protocol", "left-out"]) == 2
    assert "scripts.prepare_corpora" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "cause"),
    [
        (["--protocol", "left-out", "--emotions", "happy,sad", "--check"], "no recorded scores"),
        (["--protocol", "speaker-independent-8", "--emotions", "own"], "`own` needs --protocol left-out"),
        (["--protocol", "left-out", "--emotions", "happy"], "two possible emotions or more"),
        (["--protocol", "left-out", "--emotions", "happy,joy"], "Unknown emotion 'joy'. There are: neutral"),
    ],
)
def test_a_choice_that_cannot_be_scored_is_refused(monkeypatch, capsys, flags, cause):
    monkeypatch.setattr(train_heads, "tested_fold", lambda *arguments: pytest.fail("it began"))
    with pytest.raises(SystemExit):
        train_heads.main(["whisper", *flags])
    assert cause in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "title", "scored"),
    [
        ("Sad, happy", "Among happy, sad:", {"happy", "sad"}),
        ("own", "Among the emotions of each corpus:", {"sad", "fear"}),
    ],
)
def test_a_choice_among_some_emotions_is_scored_on_their_clips_and_written_nowhere(
    monkeypatch, tmp_path, capsys, new_model, words, title, scored
):
    """Both for the limited model and for the model among all emotions."""
    model, clips = new_model(), [TrainingExample(e, "tess", e, "one") for e in ("sad", "fear")]
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    monkeypatch.setattr(train_heads, "tested_fold", lambda *arguments: (model, clips, None))
    monkeypatch.setattr(train_heads, "check_settings", lambda *arguments: None)
    reports = []
    monkeypatch.setattr(train_heads, "reports_by_corpus", lambda *arguments: reports.append(arguments) or {})
    monkeypatch.setattr(train_heads, "choice_table", lambda corpora: "| table |")
    assert train_heads.main(["whisper", "--protocol", "left-out", "--emotions", words]) == 0
    printed = capsys.readouterr().out
    assert title in printed and "The same clips, among all eight:" in printed and not [*tmp_path.iterdir()]
    assert len(reports) == 16 and all({*found} == scored for *_, found in reports)
    assert {found[0].possible_emotions for found in reports} == {EMOTIONS, check_possible_emotions([*scored])}
