"""The command that writes the model cards: every shipped card is what its files and the result files give."""

import pytest

from scripts import model_cards
from ser_core.models.names import available_models


@pytest.mark.slow
@pytest.mark.shipped
@pytest.mark.skipif(not available_models(), reason="needs the shipped checkpoints")
def test_shipped_cards_are_up_to_date():
    assert not model_cards.outdated_cards(
        ("whisper-prosonet", "whisper-light", "whisper", "prosonet", "svm-egemaps", "simple-cnn")
    )


def test_an_outdated_card_is_reported_then_written(tmp_path, monkeypatch, capsys):
    (tmp_path / "README.md").write_text("old")
    monkeypatch.setattr(model_cards, "checkpoint_folder", lambda name: tmp_path)
    monkeypatch.setattr(model_cards, "render_card", lambda name: "new")
    monkeypatch.setattr(model_cards, "read_metrics", lambda name: {"uar": 0.5})
    assert model_cards.main(["small", "--check"]) == 1 and (tmp_path / "README.md").read_text() == "old"
    assert model_cards.main(["small"]) == 0 and (tmp_path / "README.md").read_text() == "new"
    assert model_cards.main(["small", "--check"]) == 0
    assert capsys.readouterr().out == "small: out of date\nsmall: written\n"


def test_a_checkpoint_without_a_record_of_its_training_is_refused(checkpoints, capsys):
    (checkpoints / "small" / "config.json").write_text("{}")
    (checkpoints / "small" / "metrics.json").write_text('{"protocol": "resonet"}')
    assert model_cards.main(["small"]) == 2 and "small has no record of its training" in capsys.readouterr().err


def test_an_unknown_model_is_refused(capsys):
    assert model_cards.main(["moon"]) == 2 and "moon" in capsys.readouterr().err
