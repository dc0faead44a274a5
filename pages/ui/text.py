"""Sentences shared by several pages."""

from ser_core.data import CORPUS_NAMES, SPEAKER_OVERLAP, Utterance, corpus_name
from ser_core.evaluation import describe_expected_accuracy, measured_reference
from ser_core.inference import MIN_SPEECH_TO_PREDICT_S, Prediction

UAR_HELP = (
    "UAR, unweighted average recall: the recall of each emotion, "
    "averaged over the emotions. Chance level: 12.5% with eight emotions, 17% with six."
)

SPLIT_TITLES = {
    "resonet-redrawn": "ResoNet's split, drawn again",
    "resonet": "ResoNet's split",
    "ravdess-random": "RAVDESS, random clips",
    "speaker-independent-8": "Unseen speakers of eight corpora, fold",
    "speaker-independent": "Unseen speakers of four English corpora, fold",
    "left-out": "Left-out corpus, trained on seven:",
    "leave-one-corpus-out": "Left-out corpus, trained on three:",
}


def split_title(split: str) -> str:
    """Display name of a test part."""
    name = next((name for name in SPLIT_TITLES if split.startswith(name)), None)
    if name is None:
        return split
    rest = split.removeprefix(name).removeprefix("-")
    return f"{SPLIT_TITLES[name]} {corpus_name(rest)}".rstrip()


def corpus_actor(utterance: Utterance) -> str:
    """The corpus and the actor of a recording, with the sex where it is known."""
    sex = "" if utterance.sex == "unknown" else f"{utterance.sex} "
    return f"{corpus_name(utterance.corpus)}, {sex}actor {utterance.speaker.split('-')[1]}"


def describe_performance(metrics: dict) -> str:
    """UAR of the model on its test part, by corpus: a pooled figure would hide the differences."""
    if not metrics:
        return "Not evaluated yet."
    try:
        corpora = ", ".join(f"{CORPUS_NAMES[name]} {values['uar']:.0%}" for name, values in metrics["corpora"].items())
        shared = SPEAKER_OVERLAP.get(metrics["protocol"])
    except (KeyError, TypeError, ValueError, AttributeError):  # of another version, or written by hand
        return "Metrics unreadable: python -m scripts.evaluate writes them again."
    unseen = "unseen speakers" + (f" of fold {metrics['fold']}" if metrics.get("fold") else "")
    return f"UAR on {f'a test part that {shared} with training' if shared else unseen}: {corpora}."


def describe_expectation(prediction: Prediction, metrics: dict) -> str:
    """Familiarity of the recording, and how often the model is right; "" where unknown, or without speech."""
    if prediction.speech_s < MIN_SPEECH_TO_PREDICT_S:
        return ""
    used = measured_reference(prediction.reference_clips, prediction.reference_source, prediction.reference_note)
    choice = prediction.familiarity, used, prediction.possible_emotions
    return plain(describe_expected_accuracy(prediction.model, metrics, *choice))


def counted(n: int, noun: str) -> str:
    """A number with its noun: "1 label", "2 labels"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def plain(text: str) -> str:
    """The text with all Markdown escaped."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]()<>#+-.!|~$:" else c for c in text)
