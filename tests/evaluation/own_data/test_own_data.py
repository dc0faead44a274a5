"""Labelled recordings of one's own: what gives labels away, which are doubtful, what a head is worth."""

import numpy as np
import pytest

from ser_core.evaluation.own_data.confounds import measure_confounds
from ser_core.evaluation.own_data.head import HeadError, clips_for_head, missing_for_head, train_own_head
from ser_core.evaluation.own_data.labels import find_duplicates, rank_doubtful_labels


def test_what_decides_the_label_is_found_and_what_is_drawn_at_random_is_not():
    rng = np.random.default_rng(0)
    labels = np.array(["sad", "angry", "happy"])[np.arange(150) % 3]
    groups = {"sentence": [f"s{label}" for label in labels], "speaker": rng.integers(0, 5, 150).astype(str)}
    quantities = {"level": np.where(labels == "angry", -10.0, -30.0) + rng.normal(size=150), "one": np.zeros(150)}
    found = {c.name: c for c in measure_confounds(labels.tolist(), groups, quantities, rng)}
    assert next(iter(found)) == "sentence" and found["sentence"].uar == 1 and "one" not in found
    assert found["sentence"].p_value == pytest.approx(1 / 201)  # never 0: the labels as they are count as one order
    assert found["level"].gives_away and 0.5 < found["level"].uar < 0.9  # angry from the rest, no more
    assert not found["speaker"].gives_away and found["speaker"].chance == pytest.approx(1 / 3, abs=0.05)


def test_a_property_of_one_clip_gives_nothing_away():
    """Whatever the labels, the guess is the most frequent one: each order of them is as good."""
    labels, speakers = ["sad"] * 40 + ["angry"] * 10, ["one"] * 49 + ["two"]
    (found,) = measure_confounds(labels, {"speaker": speakers}, {}, np.random.default_rng(0))
    assert found.p_value == 1 and not found.gives_away


def test_too_few_clips_have_no_confound():
    assert not measure_confounds(["sad"] * 50, {"speaker": ["a", "b"] * 25}, {}, np.random.default_rng(0))
    assert not measure_confounds(["sad", "angry"] * 4, {"speaker": ["a", "b"] * 4}, {}, np.random.default_rng(0))


def test_wrong_labels_are_found_the_most_doubtful_first():
    classes, labels = ("sad", "angry"), ["sad"] * 5 + ["angry"] * 5
    probabilities = np.repeat([[0.9, 0.1], [0.2, 0.8]], 5, axis=0)
    probabilities[1] = [0.1, 0.9]  # labelled sad
    probabilities[2] = [0.05, 0.95]  # labelled sad
    probabilities[3] = [0.4, 0.6]  # labelled sad; angry clips get more
    probabilities[7] = [0.5, 0.5]  # no clear prediction
    one, other = rank_doubtful_labels(probabilities, labels, classes)
    assert (one.index, one.label, one.suggestion) == (2, "sad", "angry") and one.label_probability == 0.05
    assert (other.index, other.suggestion_probability) == (1, 0.9)


def test_an_emotion_without_labels_is_not_suggested():
    probabilities = np.repeat([[0.3, 0.2, 0.5], [0.2, 0.3, 0.5]], 5, axis=0)
    assert not rank_doubtful_labels(probabilities, ["sad"] * 5 + ["angry"] * 5, ("sad", "angry", "fear"))


def test_copies_are_found():
    embeddings = np.random.default_rng(0).normal(size=(6, 64))
    embeddings[3], embeddings[4], embeddings[5] = embeddings[0], embeddings[1] + 0.01, embeddings[2] + 0.001
    found = find_duplicates(["a", "b", "c", "a", "e", "f"], embeddings)
    assert [(pair.first, pair.second, pair.is_exact) for pair in found] == [(0, 3, True), (2, 5, False), (1, 4, False)]


def some_clips(n_speakers: int, rng: np.random.Generator) -> tuple[np.ndarray, list[str], list[str]]:
    """Embeddings in which a speaker moves all of them, and the emotion the first dimension."""
    speakers = np.repeat(np.arange(n_speakers), 10)
    y = np.arange(10 * n_speakers) % 2
    embeddings = rng.normal(size=(len(y), 16)) + 3 * rng.normal(size=(n_speakers, 16))[speakers]
    embeddings[:, 0] = 3 * y + rng.normal(size=len(y))
    return embeddings, [("sad", "angry")[k] for k in y], speakers.astype(str).tolist()


def test_a_head_learns_from_other_speakers():
    embeddings, emotions, speakers = some_clips(10, np.random.default_rng(0))
    head = train_own_head(embeddings, emotions, speakers)
    assert head.by_speaker and head.n_folds == 5 and head.scores.uar > 0.85 and head.confusion.sum() == 100
    assert (head.scores.n_clips, head.scores.n_speakers) == (100, 10)  # of the interval
    predicted = np.array(head.labels)[head.probabilities(embeddings).argmax(1)]
    assert (predicted == emotions).mean() > 0.9 and head.to_dict("m", "v")["cross_validation"] == "by speaker"


def test_an_emotion_that_a_fold_has_not_learned_is_not_predicted_there():
    embeddings, emotions, speakers = some_clips(5, np.random.default_rng(0))
    head = train_own_head(
        np.vstack([embeddings, embeddings[:10]]), [*emotions, *["fear"] * 10], [*speakers, *["f"] * 10]
    )
    assert not head.held_out[50:, head.labels.index("fear")].any()
    assert head.labels == ("angry", "fear", "sad") and head.confusion.sum(1).tolist() == [25, 10, 25]


def test_labels_that_only_name_the_speaker_are_worth_nothing_on_others():
    by_speaker, by_clip = [], []
    for seed in range(6):
        embeddings, _, speakers = some_clips(8, np.random.default_rng(seed))
        emotions = ["sad" if int(speaker) % 2 else "angry" for speaker in speakers]
        by_speaker.append(train_own_head(embeddings, emotions, speakers).scores.uar)
        by_clip.append(train_own_head(embeddings, emotions, ["one"] * len(speakers)).scores.uar)
    assert np.mean(by_speaker) < 0.7 and np.mean(by_clip) > 0.95


@pytest.mark.parametrize(
    ("emotions", "message"),
    [
        (["sad"] * 20, "two emotions"),
        (["sad"] * 18 + ["fear"] * 2, "fear has 2 clips;"),
        (["sad"] * 19 + ["fear"], "fear has 1 clip;"),
    ],
)
def test_a_head_needs_clips(emotions, message):
    with pytest.raises(HeadError, match=message):
        train_own_head(np.zeros((20, 4)), emotions, ["a"] * 20)
    assert not missing_for_head(["sad"] * 5 + ["fear"] * 5)


def test_a_head_can_do_without_the_emotions_of_few_clips():
    assert clips_for_head(["fear", *["sad"] * 5, "fear"]) == [1, 2, 3, 4, 5]
