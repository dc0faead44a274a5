"""Scores of a corpus from its embeddings, alone and enrolled."""

from dataclasses import replace

import numpy as np
import pytest

from ser_core.evaluation.cross_corpus.report import N_REFERENCE_CLIPS, _everyday_clips, corpus_report
from ser_core.labels import EMOTIONS
from ser_core.models.base import SERModel
from ser_core.models.calibration import Calibration
from ser_core.models.enrolled import enrolled_logits
from ser_core.models.possible import limit_emotions
from ser_core.training.config import TrainingExample

USED = ("neutral", "happy", "angry")
N_CLIPS = 60


class Nearest(SERModel):
    """The embedding is the logits; a reference is subtracted."""

    takes_reference = True

    def __init__(self):
        self.config = type("Config", (), {"labels": EMOTIONS})
        self.calibration = Calibration(1.0, 0.5)

    def frontend(self, waveform, n_samples=None): ...

    def n_frames(self, n_samples): ...

    def encode(self, features, n_frames=None): ...

    def classify(self, embedding, reference=None, weight=1.0):
        return embedding - (0 if reference is None else weight * reference)


@pytest.fixture
def clips() -> list[TrainingExample]:
    """Two speakers, three emotions."""
    return [TrainingExample(str(i), "tess", USED[i % 3], f"tess-{i // 30}") for i in range(N_CLIPS)]


@pytest.fixture
def embeddings(clips) -> np.ndarray:
    """Logits that are right, with a confident offset of the second speaker towards sadness."""
    found = np.stack([4.0 * (np.array(EMOTIONS) == clip.emotion) for clip in clips])
    found[30:, EMOTIONS.index("sad")] += 6
    found += 0.01 * np.random.default_rng(0).standard_normal(found.shape)
    return found.astype(np.float32)


def test_a_reference_removes_the_offset_of_a_speaker(clips, embeddings):
    found = corpus_report(Nearest(), embeddings, clips)
    assert (found["n_clips"], found["n_speakers"], found["uar"]) == (60, 2, 0.5)
    kinds = {"neutral", "everyday", "collection", "collection_neutral"}
    assert found["enrolled"].keys() == {*map(str, N_REFERENCE_CLIPS), *kinds}
    assert found["enrolled"]["30"]["uar"] == 1.0


def test_with_their_emotions_neutral_clips_are_as_good_a_reference(clips, embeddings):
    """Without, they hide neutral speech: relative to themselves it is nothing."""
    model = Nearest()
    plain = corpus_report(model, embeddings, clips)["enrolled"]
    assert not plain.keys() & {"labelled", "neutral_labelled", "everyday_labelled"}
    model.emotion_offsets = 4.0 * np.eye(len(EMOTIONS), dtype=np.float32) - 4 / 3 * np.isin(EMOTIONS, USED)
    found = corpus_report(model, embeddings, clips)["enrolled"]
    assert plain["neutral"]["uar"] < 0.9 and found["neutral_labelled"]["uar"] == found["labelled"]["uar"] == 1.0
    assert found["everyday_labelled"]["uar"] == 1.0 and found["everyday_labelled"] != found["everyday"]
    assert {name: found[name] for name in plain} == plain  # the others do not use them


def test_of_everyday_clips_seven_tenths_are_neutral():
    speakers, neutral = np.repeat(["a", "b", "c"], 30), np.zeros(90, bool)
    neutral[:7], neutral[30:34] = True, True  # seven, four and none
    chosen = _everyday_clips(neutral, speakers)
    assert chosen[neutral].all() and [int(chosen[speakers == s].sum()) for s in "abc"] == [10, 6, 0]


def test_a_collection_removes_the_offset_of_all_its_recordings(clips, embeddings):
    embeddings[:30, EMOTIONS.index("sad")] += 6
    found = corpus_report(Nearest(), embeddings, clips)
    assert found["uar"] == 0.0 and found["enrolled"]["collection"]["uar"] == 1.0


def test_the_doubt_counts_what_is_answered(clips, embeddings):
    found = corpus_report(Nearest(), embeddings, clips)
    assert (found["coverage"], found["accuracy_answered"], found["accuracy"]) == (1.0, 0.5, 0.5)
    assert found["ece"] == pytest.approx(0.4, abs=0.1) and 0 <= found["auroc_correct"] <= 1


def test_the_doubt_with_references_has_a_gain_and_a_threshold_of_its_own(clips, embeddings):
    model = Nearest()
    before = corpus_report(model, embeddings, clips)["enrolled"]["30"]
    model.calibration = Calibration(1.0, 0.5, reference_gain=0.25, reference_min_confidence=0.99)
    found = corpus_report(model, embeddings, clips)
    assert found["coverage"] == 1.0 and found["enrolled"]["30"]["coverage"] == 0.0 < before["coverage"]
    assert found["enrolled"]["30"]["ece"] > before["ece"]  # all are right


def test_the_choice_is_limited_to_common_emotions_of_the_corpus(clips, embeddings):
    embeddings[:, EMOTIONS.index("calm")] += 20  # no emotion of this corpus
    embeddings[:, EMOTIONS.index("sad")] = 0
    found = corpus_report(Nearest(), embeddings, clips)
    assert (found["uar"], found["uar_common"]) == (0.0, 1.0)
    calm = [replace(clip, emotion="calm") if clip.emotion == "happy" else clip for clip in clips]
    found = corpus_report(Nearest(), embeddings, calm)
    assert (found["uar"], found["uar_common"]) == (pytest.approx(1 / 3, abs=1e-4), 1.0)  # calm is left out of the six


def test_clips_that_are_not_scored_are_still_references(clips, embeddings):
    model = limit_emotions(Nearest(), ("happy", "sad", "angry"))
    found = corpus_report(model, embeddings, clips, ("happy", "angry"))
    assert (found["n_clips"], found["n_speakers"], found["uar"], found["accuracy"]) == (40, 2, 0.5, 0.5)
    assert found["enrolled"]["30"]["uar"] == 1.0 and "neutral" in found["enrolled"]
    rare = [replace(clip, emotion={"happy": "calm", "angry": "surprise"}.get(clip.emotion, "sad")) for clip in clips]
    assert "uar_common" not in corpus_report(Nearest(), embeddings, rare, ("calm", "surprise"))  # none of the six


def test_references_exclude_the_clip_itself_and_weigh_by_their_number():
    embeddings = np.eye(8, dtype=np.float32)[:6]
    found, weights = enrolled_logits(Nearest(), embeddings, np.array([*"aaabcc"]), 10)
    assert weights.tolist() == pytest.approx([0.5, 0.5, 0.5, 0, 1 / 3, 1 / 3])
    np.testing.assert_allclose(found[0], embeddings[0] - 0.5 * embeddings[1:3].mean(0))  # two others: half the weight
    np.testing.assert_array_equal(found[3], embeddings[3])  # no other clip of this speaker
