"""Abstention: no speech, out of distribution, hardly speech, or a confidence below the threshold of the model.

The threshold is that of the checkpoint's calibration, see `Calibration.threshold`.
"""

from ser_core.inference.results import MIN_SPEECH_TO_PREDICT_S
from ser_core.models import UNLIKE_TRAINING, SERModel

MAX_NOVELTY_PERCENTILE = 100.0  # of an input further from the training data than all unseen speech
MIN_UNLIKE_SPEECH_S = 1.0  # less, and unlike the training data, is a snore or a machine more often than a word


def is_hardly_speech(speech_s: float, familiarity: str | None) -> bool:
    """Whether detected speech is short and unlike the training data.

    What speech detection lets through of ESC-50's folds 1 to 4 (a snore, an insect, a sip) is at most 0.9 s long.
    """
    return familiarity == UNLIKE_TRAINING and speech_s < MIN_UNLIKE_SPEECH_S


def familiarity(model: SERModel, novelty: float | None) -> str | None:
    """The word for a novelty in percent; None where it ranks nothing reliably."""
    return None if novelty is None or model.novelty is None else model.novelty.familiarity(novelty)


def abstain_reason(
    model: SERModel, confidence: float, speech_s: float, novelty: float | None, has_reference: bool
) -> str:
    """Why the prediction should not be relied on; empty when it can be."""
    threshold = model.calibration.threshold(has_reference)
    if speech_s < MIN_SPEECH_TO_PREDICT_S:
        return f"No speech was found ({speech_s:.1f} s)."
    if model.novelty and novelty == MAX_NOVELTY_PERCENTILE:
        return (
            "This is out of distribution: its embedding is further from the training data than every one of "
            f"{len(model.novelty.unseen)} recordings of unseen speech."
        )
    if is_hardly_speech(speech_s, familiarity(model, novelty)):
        return f"Only {speech_s:.1f} s were detected as speech, unlike the training data: it may be a noise."
    if confidence < threshold:
        return (
            f"The most likely emotion has a probability of {confidence:.0%}; predictions below "
            f"{threshold:.0%} are wrong too often."
        )
    return ""
