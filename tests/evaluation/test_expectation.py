"""The measured rate of right predictions, beside a prediction."""

import json

import pytest

from ser_core import paths
from ser_core.evaluation.cross_corpus.expectation import (
    describe_collection,
    describe_enrolment,
    describe_expected_accuracy,
    describe_plain_reading,
    measured_reference,
)
from ser_core.evaluation.cross_corpus.subsets import counts_path
from ser_core.inference.results import EVERYDAY_CLIPS, FAR_NOTE, NEUTRAL_CLIPS
from ser_core.labels import EMOTIONS
from ser_core.models.ood import UNLIKE_TRAINING, UNUSUAL

FAR = f"Reference clips: 1. {FAR_NOTE}"
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


def test_rates_with_a_reference_are_those_measured_with_as_many_clips(left_out):
    def scores(*accuracies: float) -> dict:
        enrolled = {key: {"accuracy": value} for key, value in zip(("3", "10", "collection"), accuracies, strict=True)}
        return {"accuracy": 0.4, "enrolled": enrolled}

    left_out.write_text(json.dumps({"corpora": {"tess": scores(0.5, 0.6, 0.2), "hindi": scores(0.3, 0.4, 0.2)}}))
    assert describe_expected_accuracy("m", METRICS, None, "10") == ""  # of unseen speakers not measured
    known = {"corpora": {"tess": scores(0.7, 0.9, 0.8), "ravdess_song": scores(0.1, 0.1, 0.1)}}
    left_out.with_name("speaker-independent-8-m.json").write_text(json.dumps(known))
    found = describe_expected_accuracy("m", METRICS, None, measured_reference(12, "clips", ""))
    assert found.startswith("Measured with 10 reference clips of the speaker: on ")  # 12 are used
    assert found.index("9 of") < found.index("5 of")
    few = describe_expected_accuracy("m", METRICS, UNLIKE_TRAINING, measured_reference(9, "clips", ""))
    assert "ith 3 reference clips" in few
    assert few.index("4 of 10") < few.index("7 of 10")
    assert measured_reference(29, "collection", "") == "collection"  # of a drawn file: the others
    together = describe_expected_accuracy("m", METRICS, None, measured_reference(30, "collection", ""))
    assert "any speaker" in together and together.index("8 of 10") < together.index("2 of 10")
    assert describe_expected_accuracy("m", {}, None, "10") == ""


def test_rates_with_neutral_clips_are_those_measured_with_them(left_out):
    def scores(accuracy: float) -> dict:
        enrolled = {"10": {"accuracy": 1.0}, "neutral_labelled": {"accuracy": accuracy}}
        return {"accuracy": 0.4, "enrolled": enrolled}

    without = {"accuracy": 0.4, "enrolled": {"10": {"accuracy": 1.0}}}  # a corpus without neutral clips
    left_out.write_text(json.dumps({"corpora": {"tess": scores(0.5), "turev": without}}))
    left_out.with_name("speaker-independent-8-m.json").write_text(json.dumps({"corpora": {"tess": scores(0.7)}}))
    found = describe_expected_accuracy("m", METRICS, None, measured_reference(10, NEUTRAL_CLIPS, ""))
    assert found.startswith("Measured with 10 neutral reference clips of the speaker: on ")
    assert found.index("7 of 10") < found.index("5 of 10")
    assert measured_reference(9, NEUTRAL_CLIPS, "") == "neutral_labelled"  # of a clip of them: the others
    assert measured_reference(9, EVERYDAY_CLIPS, "") == "everyday_labelled"


@pytest.mark.parametrize(
    "used",
    [
        (12, "recording", ""),
        (12, "running", ""),
        (28, "collection", ""),
        (8, NEUTRAL_CLIPS, ""),
        (30, "angry clips", ""),
        (9, "clips", FAR),
    ],
)
def test_no_rate_for_a_reference_that_was_not_measured(left_out, used):
    assert measured_reference(*used) is None
    assert describe_expected_accuracy("m", METRICS, None, measured_reference(*used)) == ""
    assert "unusual" in describe_expected_accuracy("m", METRICS, UNUSUAL, measured_reference(*used))
    assert measured_reference(0, "", "") == ""


def test_what_references_change_is_a_mean_over_the_corpora(left_out):
    assert describe_collection("m") == describe_enrolment("m") == ""  # not measured
    scores = {"uar": 0.4, "enrolled": {"10": {"uar": 0.6}, "collection": {"uar": 0.5}}}
    left_out.write_text(json.dumps({"corpora": {"tess": scores, "hindi": scores | {"uar": 0.2}}}))
    assert "30%" in describe_collection("m") and "50%" in describe_collection("m")
    assert "30%" in describe_enrolment("m") and "60%" in describe_enrolment("m")
    assert describe_plain_reading("m") == ""
    neutral = {"uar": 0.4, "enrolled": {"neutral_labelled": {"uar": 0.55}}}
    left_out.write_text(json.dumps({"corpora": {"tess": neutral, "turev": scores | {"uar": 0.2}}}))
    found = describe_plain_reading("m")  # of the corpora that have neutral clips
    assert "on 1 corpora" in found and "40% of the emotions without" in found and "55% with 10 neutral clips" in found


FOUR = ("neutral", "happy", "sad", "angry")


@pytest.fixture
def counts(left_out):
    """Counts of the model "m", which takes half of the happy clips of unseen speakers for fear (5), alone."""
    known = {"alone": {"happy": {"": 5, "5": 5}, "sad": {"": 10}}, "10": {"happy": {"": 9, "3": 1}, "sad": {"": 10}}}
    strange = {"alone": {"happy": {"": 1}, "sad": {"2": 1}}, "10": {"happy": {"3": 1}, "sad": {"": 1}}}
    protocols = {"left-out": {"tess": strange}, "speaker-independent-8": {"tess": known}}
    paths.write_json(counts_path("m"), {"protocols": protocols})


def test_rates_of_fewer_emotions_are_counted_among_them(counts):
    assert describe_expected_accuracy("m", METRICS, emotions=EMOTIONS[::-1]) == describe_expected_accuracy("m", METRICS)
    found = describe_expected_accuracy("m", METRICS, None, "", ("sad", "happy", "neutral"))
    assert found.startswith("Among neutral, happy and sad: on recordings of kinds it was trained on, this model is ")
    assert "more than 9 of 10 clips of speakers" in found  # all of them: fear is not possible
    with_fear = describe_expected_accuracy("m", METRICS, None, "", ("happy", "sad", "fear"))
    assert "8 of 10 clips of speakers" in with_fear
    enrolled = describe_expected_accuracy("m", METRICS, UNLIKE_TRAINING, "10", FOUR)
    assert "Among neutral, happy, sad and angry, measured with 10 reference clips of the speaker: on kinds" in enrolled
    assert enrolled.index("right for 5 of 10") < enrolled.index("more than 9 of 10")
    assert describe_expected_accuracy("m", METRICS, UNLIKE_TRAINING, "30", FOUR) == enrolled  # measured with ten


@pytest.mark.parametrize("reference", ["1", "3", "collection", "neutral_labelled", "everyday_labelled", None])
def test_no_rate_of_fewer_emotions_for_a_reference_that_was_not_counted(counts, reference):
    assert describe_expected_accuracy("m", METRICS, None, reference, FOUR) == ""
    assert describe_expected_accuracy("m", METRICS, UNUSUAL, reference, FOUR).endswith("the training data.")


def test_a_model_without_counts_has_no_rate_of_fewer_emotions(left_out):
    assert describe_expected_accuracy("m", METRICS) and not describe_expected_accuracy("m", METRICS, emotions=FOUR)
    assert not describe_expected_accuracy("m", {}, emotions=FOUR)
    with pytest.raises(ValueError, match="Unknown emotion 'joy'"):
        describe_expected_accuracy("m", METRICS, emotions=("joy", "sad"))


def test_a_rate_near_one_is_not_certainty(left_out):
    left_out.write_text(json.dumps({"corpora": {"tess": {"accuracy": 0.96}}}))
    assert "for more than 9 of 10." in describe_expected_accuracy("m", METRICS)
