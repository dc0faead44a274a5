"""Sentences that several pages say."""

from ser_core.data import CORPUS_NAMES, SPEAKER_OVERLAP

UAR_HELP = (
    "UAR, unweighted average recall: of each emotion's clips the share that was recognised, "
    "averaged over the emotions. Guessing gives 12 % with eight emotions and 17 % with six."
)


def record(metrics: dict) -> str:
    """How good the model is on its test part, by corpus: a pooled figure would hide the differences."""
    if not metrics:
        return "It was never measured."
    try:
        corpora = ", ".join(f"{CORPUS_NAMES[name]} {values['uar']:.0%}" for name, values in metrics["corpora"].items())
        shared = SPEAKER_OVERLAP.get(metrics["protocol"])
    except (KeyError, TypeError, ValueError, AttributeError):  # of another version, or written by hand
        return "What was measured of it cannot be read: python -m scripts.evaluate writes it anew."
    return f"UAR on {f'clips of a test part that {shared}' if shared else 'unseen speakers'}: {corpora}."


def plain(text: str) -> str:
    """Markdown that shows this text as it is."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]()<>#+-.!|~$:" else c for c in text)
