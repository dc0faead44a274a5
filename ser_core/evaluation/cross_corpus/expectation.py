"""The measured rate of right predictions, in one sentence to stand beside a prediction."""

import json

import numpy as np

from ser_core import paths
from ser_core.data import SPEAKER_OVERLAP, is_speech
from ser_core.models import TYPICAL, UNLIKE_TRAINING, UNUSUAL

COMPARED_WITH_TRAINING = {
    TYPICAL: "This recording is typical of the training data.",
    UNUSUAL: "This recording is unusual compared with the training data.",
    UNLIKE_TRAINING: "This recording is unlike the training data.",
}
"""Familiarity -> sentence."""


def describe_expected_accuracy(model: str, metrics: dict, familiarity: str | None = None) -> str:
    """How often the model is right, on kinds of recording that it was trained on and on others.

    Means over the corpora: unseen speakers of the training corpora, and corpora left out of training, of which half are
    in other languages. The rate of the kind that fits the familiarity comes first.

    Args:
        model: name of the checkpoint, whose left-out corpora are in assets/results/left-out-<model>.json.
        metrics: content of its metrics.json.
        familiarity: of the recording, as in Prediction.

    Returns:
        A sentence on the familiarity, if there is one, and a sentence on the rates, if both were measured.
    """
    known, strange = _known_accuracy(metrics), _left_out_accuracy(model)
    first = COMPARED_WITH_TRAINING.get(familiarity or "", "")
    if known is None or strange is None:
        return first
    return f"{first} {_rates(known, strange, familiarity == UNLIKE_TRAINING)}".lstrip()


def _rates(known: float, strange: float, strange_first: bool) -> str:
    on_known, on_others = f"{10 * known:.0f} of 10", f"{10 * strange:.0f} of 10"
    if strange_first:
        return (
            f"On kinds of recording or languages it was not trained on, this model is right for {on_others} clips; "
            f"on kinds it was trained on, for {on_known} clips of speakers it has not met."
        )
    return (
        f"On recordings of kinds it was trained on, this model is right for {on_known} clips of speakers it has not "
        f"met; on other kinds or languages for {on_others}."
    )


ENROLLED_CLIPS = "10"  # as the keys of the results
COLLECTION_CLIPS = 30
"""Clips of a corpus, of any speaker, as the reference of a collection."""


def describe_enrolment(model: str) -> str:
    """What reference clips of the speaker change on corpora left out of training, in a sentence; "" if not measured.

    Args:
        model: name of the checkpoint, whose left-out corpora are in assets/results/left-out-<model>.json.
    """
    return _describe_gain(model, ENROLLED_CLIPS, f"{ENROLLED_CLIPS} clips of the speaker")


def describe_collection(model: str) -> str:
    """The same of other recordings of one kind, of any speaker."""
    return _describe_gain(model, "collection", f"{COLLECTION_CLIPS} other recordings of the corpus, of any speaker")


def _describe_gain(model: str, reference: str, described: str) -> str:
    try:
        corpora = json.loads((paths.RESULTS / f"left-out-{model}.json").read_text())["corpora"].values()
        alone = np.mean([scores["uar"] for scores in corpora])
        enrolled = np.mean([scores["enrolled"][reference]["uar"] for scores in corpora])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""
    return (
        f"Measured on {len(corpora)} corpora that the model was not trained on: the UAR is {alone:.0%} without and "
        f"{enrolled:.0%} with {described}."
    )


def _known_accuracy(metrics: dict) -> float | None:
    """Mean accuracy over the corpora, of unseen speakers."""
    try:
        if metrics["protocol"] in SPEAKER_OVERLAP:
            return None
        return _mean_accuracy(metrics["corpora"])
    except (KeyError, TypeError, AttributeError):  # never evaluated, or of another version
        return None


def _left_out_accuracy(model: str) -> float | None:
    try:
        return _mean_accuracy(json.loads((paths.RESULTS / f"left-out-{model}.json").read_text())["corpora"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _mean_accuracy(corpora: dict[str, dict]) -> float | None:
    found = [scores["accuracy"] for corpus, scores in corpora.items() if is_speech(corpus)]
    return float(np.mean(found)) if found else None
