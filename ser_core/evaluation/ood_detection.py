"""Evaluation of out-of-distribution detection: non-speech, synthetic or recorded, against speech of unseen speakers."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ser_core.audio import trim_silence
from ser_core.data import AudioStore, ProtocolError, is_speech, protocol_split, unseen_speaker_fold
from ser_core.evaluation.non_speech import NON_SPEECH_SOUNDS, draw_non_speech
from ser_core.inference import (
    MAX_NOVELTY_PERCENTILE,
    MIN_SPEECH_TO_PREDICT_S,
    NO_SPEECH,
    Prediction,
    is_hardly_speech,
    predict,
    run_clips,
)
from ser_core.metrics import auroc
from ser_core.models import NoveltyDetector, SERModel
from ser_core.progress import Progress, no_progress

OOD_SEED = 0  # of the sounds of each kind


def evaluate_ood_detection(
    model: SERModel, speech: Sequence[np.ndarray], n_sounds: int, progress: Progress = no_progress
) -> dict:
    """Separation of synthetic non-speech from speech, by the distance of the embedding alone and with speech detection.

    Args:
        model: with an out-of-distribution detector.
        speech: trimmed clips of unseen speakers, each of shape (n_samples,).
        n_sounds: of each kind.
        progress: called after each kind.

    Returns:
        JSON-serialisable figures to 4 places: n_speech, n_sounds, auroc, auroc_with_vad, fpr95 (share of speech beyond
        the distance that 95 % of the sounds exceed), speech_called_unknown, and
        auroc and answers (counts of the outcomes) of each kind.

    Raises:
        ValueError: the model has no detector.
    """
    if model.novelty is None:
        raise ValueError(f"{model.name} has no out-of-distribution detector.")
    speech_distances = _distances(model, speech)
    distances: dict[str, np.ndarray] = {}
    outcomes: dict[str, list[str]] = {}
    for done, kind in enumerate(NON_SPEECH_SOUNDS, 1):
        rng = np.random.default_rng(OOD_SEED)
        sounds = [draw_non_speech(kind, rng) for _ in range(n_sounds)]
        distances[kind] = _distances(model, [_trimmed(sound) for sound in sounds])
        outcomes[kind] = [outcome(predict(model, sound)) for sound in sounds]
        progress(done / len(NON_SPEECH_SOUNDS))
    return {
        "n_speech": len(speech),
        "n_sounds": n_sounds,
        **_separation(model.novelty, speech_distances, distances, outcomes),
    }


def _separation(
    detector: NoveltyDetector, speech: np.ndarray, distances: dict[str, np.ndarray], outcomes: dict[str, list[str]]
) -> dict:
    """Figures on the distances of speech, shape = (n_clips,), and on distances and outcomes of each kind of sound."""
    by_distance = np.concatenate([*distances.values()])
    without_speech = np.concatenate([*outcomes.values()]) == NO_SPEECH
    with_vad = np.where(without_speech, np.finfo(np.float32).max, by_distance)
    return {
        "auroc": round(auroc(speech, by_distance), 4),
        "auroc_with_vad": round(auroc(speech, with_vad), 4),
        "fpr95": round(float((speech >= np.quantile(by_distance, 0.05)).mean()), 4),
        "speech_called_unknown": round(float((speech > detector.unseen[-1]).mean()), 4),
        "kinds": {
            kind: {"auroc": round(auroc(speech, distances[kind]), 4), "answers": dict(Counter(outcomes[kind]))}
            for kind in distances
        },
    }


def evaluate_recorded_sounds(
    model: SERModel,
    speech: Sequence[np.ndarray],
    sounds: Mapping[str, Sequence[np.ndarray]],
    progress: Progress = no_progress,
) -> dict:
    """Separation of recorded sounds from speech, both through `predict`: by the novelty, and with speech detection.

    Args:
        model: with an out-of-distribution detector.
        speech: clips of unseen speakers, each of shape (n_samples,).
        sounds: of each class, each of shape (n_samples,).
        progress: called after each class.

    Returns:
        JSON-serialisable figures to 4 places: n_speech, n_sounds, emotion_named (share of the sounds), speech_missed
        (share of the clips in which no speech is found), auroc, auroc_with_vad, and for each class answers (counts of
        the outcomes).

    Raises:
        ValueError: the model has no detector.
    """
    if model.novelty is None:
        raise ValueError(f"{model.name} has no out-of-distribution detector.")
    spoken, found = [predict(model, clip) for clip in speech], {}
    for done, (name, own) in enumerate(sounds.items(), 1):
        found[name] = [predict(model, sound) for sound in own]
        progress(done / len(sounds))
    flat = [prediction for own in found.values() for prediction in own]
    outcomes = {name: Counter(map(outcome, own)) for name, own in found.items()}
    return {
        "n_speech": len(spoken),
        "n_sounds": len(flat),
        "emotion_named": round(sum(counts["an emotion"] for counts in outcomes.values()) / len(flat), 4),
        "speech_missed": round(sum(outcome(p) == NO_SPEECH for p in spoken) / len(spoken), 4),
        "auroc": round(auroc(*(np.array([p.novelty for p in part]) for part in (spoken, flat))), 4),
        "auroc_with_vad": round(auroc(*(np.array([_novelty(p) for p in part]) for part in (spoken, flat))), 4),
        "classes": {name: dict(counts) for name, counts in outcomes.items()},
    }


def _novelty(prediction: Prediction) -> float:
    """Novelty in percent; without speech more than any novelty."""
    if outcome(prediction) == NO_SPEECH or prediction.novelty is None:
        return 2 * MAX_NOVELTY_PERCENTILE
    return prediction.novelty


def _distances(model: SERModel, clips: Sequence[np.ndarray]) -> np.ndarray:
    """Distance of each clip from the training data, shape = (n_clips,)."""
    return np.asarray(run_clips(model, clips).distances)


def read_trimmed_test_speech(model: SERModel) -> list[np.ndarray]:
    """Trimmed clips of the model's test part that are in the cache, each of shape (n_samples,).

    Raises:
        FileNotFoundError: no cache.
        ProtocolError: speakers of the training part, or no recording at all.
    """
    ids = protocol_split(*unseen_speaker_fold(model.name, model.metrics)).test
    store = AudioStore()
    found = [store.trimmed(i) for i in ids if i in store and is_speech(i.split("/")[0])]
    if not found:
        raise ProtocolError("None of the test recordings is in the cache: python -m scripts.prepare_corpora")
    return found


def outcome(prediction: Prediction) -> str:
    """Outcome for one sound: NO_SPEECH, "unknown" (out of distribution), "uncertain" or "an emotion"."""
    if not prediction.abstain:
        return "an emotion"
    if prediction.speech_s < MIN_SPEECH_TO_PREDICT_S:
        return NO_SPEECH
    is_noise = is_hardly_speech(prediction.speech_s, prediction.familiarity)
    return "unknown" if is_noise or prediction.novelty == MAX_NOVELTY_PERCENTILE else "uncertain"


def _trimmed(sound: np.ndarray) -> np.ndarray:
    start, end = trim_silence(sound)
    return sound[start:end]
