"""The measured rate of right predictions, in one sentence to stand beside a prediction."""

import json
from collections.abc import Sequence

import numpy as np

from ser_core import paths
from ser_core.data import LEFT_OUT, SPEAKER_INDEPENDENT_8, SPEAKER_OVERLAP, is_speech
from ser_core.evaluation.cross_corpus.subsets import ALONE, read_counts, subset_scores
from ser_core.inference import EVERYDAY_CLIPS, FAR_NOTE, NEUTRAL_CLIPS
from ser_core.labels import EMOTIONS, check_possible_emotions, describe_choice
from ser_core.models import TYPICAL, UNLIKE_TRAINING, UNUSUAL

N_REFERENCE_CLIPS = (1, 3, 10, 30)
"""Sizes of the enrolments that are measured."""
ENROLLED_CLIPS = "10"  # as the keys of the results
COLLECTION_CLIPS = 30
"""Clips of a corpus, of any speaker, as the reference of a collection."""
LABELLED_CLIPS = 10
"""Clips of the speaker whose emotions are known."""
MEASURED_SOURCES = {
    "clips": 1,
    NEUTRAL_CLIPS: LABELLED_CLIPS - 1,
    EVERYDAY_CLIPS: LABELLED_CLIPS - 1,
    "collection": COLLECTION_CLIPS - 1,
}
"""Sources of references whose worth is measured, and with how many clips at least; a clip of them has one less."""
REFERENCE_KEYS = {
    NEUTRAL_CLIPS: "neutral_labelled",
    EVERYDAY_CLIPS: "everyday_labelled",
    "collection": "collection",
}
"""Source of a reference -> its key in the results; of clips in any mood it is their number."""
COUNTED_REFERENCES = {"": "", ENROLLED_CLIPS: ENROLLED_CLIPS, "30": ENROLLED_CLIPS}
"""Key of a reference -> that with which a choice among fewer emotions was measured."""
COMPARED_WITH_TRAINING = {
    TYPICAL: "This recording is typical of the training data.",
    UNUSUAL: "This recording is unusual compared with the training data.",
    UNLIKE_TRAINING: "This recording is unlike the training data.",
}
"""Familiarity -> sentence."""


def describe_expected_accuracy(
    model: str,
    metrics: dict,
    familiarity: str | None = None,
    reference: str | None = "",
    emotions: Sequence[str] = EMOTIONS,
) -> str:
    """How often the model is right, on kinds of recording that it was trained on and on others.

    Means over the corpora: unseen speakers of the training corpora, and corpora left out of training, of which half are
    in other languages. The rate of the kind that fits the familiarity comes first.

    Args:
        model: name of the checkpoint, whose left-out corpora are in assets/results/left-out-<model>.json.
        metrics: content of its metrics.json; {}: the familiarity alone.
        familiarity: of the recording, as in Prediction.
        reference: from measured_reference; the rates are then those with such a reference. None: no rates.
        emotions: among which the model chooses. The rates of fewer than all hold if no other occurs; they come from
            assets/results/possible-emotions-<model>.json, alone and with ten clips of the speaker.

    Returns:
        A sentence on the familiarity, if there is one, and a sentence on the rates, if both were measured.

    Raises:
        ValueError: as check_possible_emotions.
    """
    possible = check_possible_emotions(emotions)
    if possible != EMOTIONS:
        reference = None if reference is None else COUNTED_REFERENCES.get(reference)
    first = COMPARED_WITH_TRAINING.get(familiarity or "", "")
    if reference is None or not metrics:
        return first
    known, strange = _accuracies(model, metrics, reference, possible)
    if known is None or strange is None:
        return first
    condition = _condition(reference, possible)
    return f"{first} {_rates(known, strange, familiarity == UNLIKE_TRAINING, condition)}".lstrip()


def _accuracies(
    model: str, metrics: dict, reference: str, possible: tuple[str, ...]
) -> tuple[float | None, float | None]:
    """Of unseen speakers and of left-out corpora; None: not measured."""
    if possible != EMOTIONS:
        corpora = [read_counts(model, protocol, reference or ALONE) for protocol in (SPEAKER_INDEPENDENT_8, LEFT_OUT)]
        known, strange = (subset_scores(counts, possible).get("accuracy") for counts in corpora)
    elif reference:
        known, strange = (_accuracy_with(reference, model, protocol) for protocol in (SPEAKER_INDEPENDENT_8, LEFT_OUT))
    else:
        known, strange = _known_accuracy(metrics), _left_out_accuracy(model)
    return known, strange


def measured_reference(n_clips: int, source: str, note: str) -> str | None:
    """Which reference of the results is like that of a prediction; arguments are its reference_... fields.

    Returns:
        a key of the results; "" without a reference; None if such a reference was not measured: the recording itself, a
        live session so far, a small collection, or one that may be of somebody else.
    """
    if not n_clips:
        return ""
    if FAR_NOTE in note or source not in MEASURED_SOURCES or n_clips < MEASURED_SOURCES[source]:
        return None
    return REFERENCE_KEYS.get(source) or str(max(n for n in N_REFERENCE_CLIPS if n <= n_clips))


def _condition(reference: str, possible: tuple[str, ...]) -> str:
    """The choice and the reference of the rates, with a colon at the end; empty: all emotions, alone."""
    found = ", ".join(filter(None, (describe_choice(possible), _described_reference(reference))))
    return f"{found}: " if found else ""


def _described_reference(reference: str) -> str:
    if not reference:
        return ""
    if reference == "collection":
        return f"measured with {COLLECTION_CLIPS} other recordings of any speaker as reference"
    if reference == REFERENCE_KEYS[NEUTRAL_CLIPS]:
        return f"measured with {LABELLED_CLIPS} neutral reference clips of the speaker"
    if reference == REFERENCE_KEYS[EVERYDAY_CLIPS]:
        return f"measured with {LABELLED_CLIPS} reference clips of the speaker, seven of them neutral"
    return f"measured with {reference} reference clip{'s' if reference != '1' else ''} of the speaker"


def _rates(known: float, strange: float, strange_first: bool, condition: str) -> str:
    on_known, on_others = _of_ten(known), _of_ten(strange)
    sentence = (
        f"{condition}on kinds of recording or languages it was not trained on, this model is right for {on_others} "
        f"clips; on kinds it was trained on, for {on_known} clips of speakers it has not met."
        if strange_first
        else f"{condition}on recordings of kinds it was trained on, this model is right for {on_known} clips of "
        f"speakers it has not met; on other kinds or languages for {on_others}."
    )
    return sentence[0].upper() + sentence[1:]


def _of_ten(rate: float) -> str:
    """Certainty, which no model has, is "more than 9 of 10"."""
    return "more than 9 of 10" if rate >= 0.95 else f"{10 * rate:.0f} of 10"


def describe_enrolment(model: str) -> str:
    """What reference clips of the speaker change on corpora left out of training, in a sentence; "" if not measured.

    Args:
        model: name of the checkpoint, whose left-out corpora are in assets/results/left-out-<model>.json.
    """
    return _describe_gain(model, ENROLLED_CLIPS, f"{ENROLLED_CLIPS} clips of the speaker")


def describe_plain_reading(model: str) -> str:
    """The same of neutral clips of the speaker, on the corpora that have some."""
    return _describe_gain(model, REFERENCE_KEYS[NEUTRAL_CLIPS], f"{LABELLED_CLIPS} neutral clips of the speaker")


def describe_collection(model: str) -> str:
    """The same of other recordings of one kind, of any speaker."""
    return _describe_gain(model, "collection", f"{COLLECTION_CLIPS} other recordings of the corpus, of any speaker")


def _describe_gain(model: str, reference: str, described: str) -> str:
    try:
        corpora = [scores for scores in _results(model, LEFT_OUT).values() if reference in scores["enrolled"]]
        pairs = [(scores["uar"], scores["enrolled"][reference]["uar"]) for scores in corpora]
    except (KeyError, TypeError):
        return ""
    if not pairs:
        return ""
    alone, enrolled = np.mean(pairs, 0)
    return (
        f"Measured on {len(corpora)} corpora that the model was not trained on: it recognises {alone:.0%} of the "
        f"emotions without and {enrolled:.0%} with {described} (UAR)."
    )


def _results(model: str, protocol: str) -> dict[str, dict]:
    """Scores of a model by corpus; empty if it was not measured."""
    try:
        return dict(json.loads((paths.RESULTS / f"{protocol}-{model}.json").read_text())["corpora"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


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
        return _mean_accuracy(_results(model, LEFT_OUT))
    except (KeyError, TypeError):
        return None


def _accuracy_with(reference: str, model: str, protocol: str) -> float | None:
    """Mean accuracy over the corpora with a reference, by its key in the results; None if it was not measured."""
    try:
        enrolled = {name: scores["enrolled"] for name, scores in _results(model, protocol).items()}
        return _mean_accuracy({name: found[reference] for name, found in enrolled.items() if reference in found})
    except (KeyError, TypeError):
        return None


def _mean_accuracy(corpora: dict[str, dict]) -> float | None:
    found = [scores["accuracy"] for corpus, scores in corpora.items() if is_speech(corpus)]
    return float(np.mean(found)) if found else None
