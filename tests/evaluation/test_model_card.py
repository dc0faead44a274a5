"""The model card: every figure and command comes from the files of the checkpoint."""

import json
import re
import shlex
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from ser_core.data.file_names import parse_filename
from ser_core.data.protocols.assignment import SPEAKER_OVERLAP
from ser_core.data.protocols.splits import protocol_split
from ser_core.evaluation.model_cards.card import render_model_card, render_pretrained_card
from ser_core.evaluation.scoring.metrics import compute_metrics
from ser_core.evaluation.scoring.predictions import PredictionTable
from ser_core.labels import EMOTIONS
from ser_core.models.registry import MODELS
from ser_core.training.recipes import COMMON_RECIPE, override_config
from ser_core.training.trainer import TrainConfig


def card(
    protocol: str,
    fold: str | None,
    family: str = "resonet",
    n_parameters: int | None = 1000,
    min_confidence: float = 0.3,
    name: str = "it",
    model: dict | None = None,
    **training,
) -> str:
    """Of a model that answers happy to every clip."""
    utterances = tuple(parse_filename(Path(i)) for i in protocol_split(protocol, fold).test)
    probabilities = np.tile(np.eye(8)[2] * 0.3 + 0.0875, (len(utterances), 1))
    predictions = PredictionTable(EMOTIONS, utterances, probabilities, np.zeros(len(utterances), bool), 1.2)
    config = {
        "family": family,
        "model": model or {"labels": EMOTIONS, "frontend": {"n_mels": 64, "n_mfcc": 0}},
        "calibration": {"temperature": 1.2, "min_confidence": min_confidence},
        "training": {"protocol": protocol, "fold": fold} | training,
    }
    return render_model_card(
        name, config, {"protocol": protocol, "fold": fold} | compute_metrics(predictions).to_dict(), n_parameters
    )


def test_the_card_names_the_speakers_of_every_part():
    text = card("speaker-independent", "0")
    assert "| RAVDESS speech | 17: 01, 04, 07-13, 17-24 | 2: 03, 06 | 5: 02, 05, 14-16 |" in text
    assert "| TESS | 1: YAF | none | 1: OAF |" in text and "none of the 25 speakers" in text
    assert "Trained from scratch on RAVDESS speech, RAVDESS song, CREMA-D, TESS and SAVEE" in text
    assert "--protocol speaker-independent --fold 0" in text and "nseen speakers" in text


@pytest.mark.parametrize("protocol", SPEAKER_OVERLAP)
def test_the_card_of_a_protocol_that_shares_speakers_says_so(protocol):
    text = card(protocol, None)
    assert SPEAKER_OVERLAP[protocol] in text and "nseen speakers" not in text and "fold" not in text


def test_the_card_of_a_model_of_one_corpus_speaks_of_no_other():
    text = card("ravdess-random", None)
    assert "TESS" not in text and "CREMA-D" not in text and "nan" not in text and "None" not in text
    assert "| speech and song pooled | 491 | 24 |" in text and "no development part" in text
    assert "abstains below a confidence of 30 %" in text
    assert "abstains only where no speech" in card("ravdess-random", None, min_confidence=0.0)
    assert "RAVDESS speech CC BY-NC-SA 4.0, RAVDESS song CC BY-NC-SA 4.0." in text


def test_the_card_says_what_kind_of_model_it_is():
    assert "a network of the family vgg with 1,000 parameters" in card("resonet", None, "vgg")
    trees = card("resonet", None, "egemaps", None)
    assert "scikit-learn classifier" in trees and "eGeMAPSv02 functionals, computed by opensmile" in trees
    assert "without a spectral front end" in card("resonet", None, "wav2vec2")
    assert "Started from some/weights, then trained on" in card("resonet", None, "wav2vec2", start="some/weights")


def test_the_command_in_the_card_makes_this_very_model():
    def command(**training) -> str:
        return re.search(r"`python -m scripts\.train (.*)`", card("resonet", None, **training))[1]

    assert command() == "resonet --protocol resonet"
    recipe = asdict(TrainConfig(epochs=15, seed=3))
    assert command(recipe=recipe) == "resonet --protocol resonet --recipe checkpoints/it"
    assert command(recipe=recipe, start="a/b") == "resonet --protocol resonet --start a/b --recipe checkpoints/it"
    assert command(recipe={"seed": 3, "tried": []}) == "resonet --protocol resonet"  # of scikit-learn
    narrow = override_config(override_config(MODELS["resonet"][1], "channels", [8, 8, 8, 8]), "frontend.n_mfcc", 13)
    flags = command(recipe=recipe, name="resonet", model=json.loads(json.dumps(narrow.to_dict())))
    assert shlex.split(flags)[-3:] == ["--set", "model.frontend.n_mfcc=13", "model.channels=[8, 8, 8, 8]"]


def test_the_card_of_a_taught_model_names_its_teachers_and_the_command_for_all():
    text = card("speaker-independent", "0", recipe=asdict(COMMON_RECIPE), teachers=["a", "b"])
    assert "2 teachers" in text
    assert "`python -m scripts.distill --protocol speaker-independent --fold 0`" in text


def test_a_pretrained_card_warns_that_nothing_was_evaluated():
    card = render_pretrained_card("x", "lab/x", 12_345, "hap is happy.")
    assert "lab/x" in card and "12,345 parameters" in card and "hap is happy" in card
    assert "Not evaluated here" in card and "not calibrated" in card
