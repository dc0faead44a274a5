"""Emotion offsets: where the emotions lie around the mean of a speaker."""

import numpy as np
import pytest

from ser_core.training.config import TrainingExample
from ser_core.training.frozen.offsets import fit_emotion_offsets

LABELS = ("neutral", "happy", "sad")
CORPORA = ("crema_d", "tess", "savee", "hindi")


def corpus(name: str, places: dict[str, list[float]], voices=((0.0, 9.0), (40.0, -7.0))):
    """Two clips of each emotion of two speakers: the voice of each, plus the place of the emotion."""
    clips = [
        TrainingExample(f"{name}/{speaker}/{emotion}{i}", name, emotion, f"{name}-{speaker}")
        for speaker in range(len(voices))
        for emotion in places
        for i in range(2)
    ]
    rows = [np.add(voices[int(clip.speaker[-1])], places[clip.emotion]) for clip in clips]
    return clips, np.array(rows, np.float32)


def fitted(*corpora) -> np.ndarray:
    clips, embeddings = zip(*corpora, strict=True)
    return fit_emotion_offsets(np.concatenate(embeddings), [clip for own in clips for clip in own], LABELS)


def test_they_are_relative_to_the_mean_of_the_speaker():
    places = {"neutral": [3.0, 0.0], "happy": [-1.0, 2.0], "sad": [1.0, 1.0]}
    found = fitted(*(corpus(name, places) for name in CORPORA))
    np.testing.assert_allclose(found, np.array([*places.values()]) - [1.0, 1.0], atol=1e-5)


def test_what_corpora_do_not_share_is_shrunk():
    """Offsets of -1, 1, 2 and 4: means of the others 7/3, 5/3, 4/3 and 2/3; slope 14/3 divided by 94/9."""
    shifts = (-1.0, 1.0, 2.0, 4.0)
    places = [{"neutral": [shift, 0.0], "sad": [-shift, 0.0]} for shift in shifts]
    found = fitted(*(corpus(*pair) for pair in zip(CORPORA, places, strict=True)))
    slope = (-1 * 7 / 3 + 5 / 3 + 2 * 4 / 3 + 4 * 2 / 3) / ((49 + 25 + 16 + 4) / 9)
    np.testing.assert_allclose(found[0], [slope * 1.5, 0.0], atol=1e-5)
    np.testing.assert_allclose(found[2], [-slope * 1.5, 0.0], atol=1e-5)
    opposite = [{"neutral": [shift, 0.0], "sad": [-shift, 0.0]} for shift in (-3.0, 3.0, -3.0, 4.0)]
    np.testing.assert_array_equal(fitted(*(corpus(*pair) for pair in zip(CORPORA, opposite, strict=True))), 0)


def test_an_emotion_of_two_corpora_has_none():
    both, three = (
        {"neutral": [1.0, 0.0], "happy": [-1.0, 0.0]},
        {"neutral": [1.0, 0.0], "happy": [-1.0, 0.0], "sad": [0.0] * 2},
    )
    found = fitted(*(corpus(name, three) for name in CORPORA[:2]), corpus(CORPORA[2], both))
    assert found[0].any() and found[1].any() and not found[2].any()


def test_song_does_not_count():
    places = {"neutral": [1.0, 0.0], "happy": [-1.0, 0.0]}
    spoken = [corpus(name, places) for name in ("ravdess", "tess", "savee")]
    sung = corpus("ravdess_song", {"neutral": [50.0, 0.0], "sad": [0.0, 50.0]})
    np.testing.assert_array_equal(fitted(*spoken, sung), fitted(*spoken))


@pytest.mark.parametrize("n_clips", [1, 5])
def test_every_corpus_and_every_speaker_counts_the_same(n_clips):
    places = {"neutral": [1.0, 0.0], "happy": [-1.0, 0.0]}
    clips, rows = corpus("tess", places)
    more = [i for i, clip in enumerate(clips) if clip.speaker == "tess-0"] * n_clips
    many = [clips[i] for i in more] + clips, np.concatenate([rows[more], rows])
    others = [corpus(name, {"neutral": [2.0, 0.0], "happy": [-2.0, 0.0]}) for name in ("savee", "hindi")]
    np.testing.assert_allclose(fitted(many, *others), fitted((clips, rows), *others), atol=1e-5)
