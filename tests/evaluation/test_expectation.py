"""The measured rate of right predictions, beside a prediction."""

import json

import pytest

from ser_core import paths
from ser_core.evaluation.cross_corpus.expectation import (
    describe_collection,
    describe_enrolment,
    describe_expected_accuracy,
)
from ser_core.models.ood import UNLIKE_TRAINING, UNUSUAL

METRICS = {
    "protocol": "speaker-independent-8",
    "corpora": {"tess": {"accuracy": 0.9}, "savee": {"accuracy": 0.7}, "ravdess_song": {"accuracy": 0.1}},
}


@pytest.fixture
def left_out(tmp_path, monkeypatch):
    """Rates of the model "m" on left-out corpora."""
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    path = tmp_path / "left-out-m.json"
    path.write_text(json.dumps({"corpora": {"tess": {"accuracy": 0.6}, "hindi": {"accuracy": 0.44}}}))
    return path


def test_rates_are_means_over_the_speech_corpora(left_out):
    found = describe_expected_accuracy("m", METRICS)
    assert found.index("8 of 10") < found.index("5 of 10")
    unusual = describe_expected_accuracy("m", METRICS, UNUSUAL)
    assert "unusual" in unusual and unusual.endswith(found)


def test_rate_of_the_kind_that_fits_comes_first(left_out):
    found = describe_expected_accuracy("m", METRICS, UNLIKE_TRAINING)
    assert UNLIKE_TRAINING.split()[0] in found and found.index("5 of 10") < found.index("8 of 10")


def test_no_rate_without_both_measurements(left_out):
    shared = METRICS | {"protocol": "ravdess-random"}
    for metrics in ({}, shared, {"protocol": "left-out"}, {"protocol": "left-out", "corpora": {}}):
        assert describe_expected_accuracy("m", metrics) == ""
    assert describe_expected_accuracy("other", METRICS) == ""
    assert "10" not in describe_expected_accuracy("other", METRICS, UNUSUAL) != ""
    left_out.write_text("{")
    assert describe_expected_accuracy("m", METRICS) == ""


def test_what_references_change_is_a_mean_over_the_corpora(left_out):
    assert describe_collection("m") == describe_enrolment("m") == ""  # not measured
    scores = {"uar": 0.4, "enrolled": {"10": {"uar": 0.6}, "collection": {"uar": 0.5}}}
    left_out.write_text(json.dumps({"corpora": {"tess": scores, "hindi": scores | {"uar": 0.2}}}))
    assert "30%" in describe_collection("m") and "50%" in describe_collection("m")
    assert "30%" in describe_enrolment("m") and "60%" in describe_enrolment("m")
