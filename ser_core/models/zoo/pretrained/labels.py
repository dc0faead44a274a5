"""The labels of a published model, and the emotions they mean."""

import shlex
from collections.abc import Mapping

import torch
from torch import Tensor

from ser_core.labels import EMOTIONS

EMOTION_SYNONYMS = {
    "neutral": ("neutral", "neutrality", "neu"),
    "calm": ("calm", "calmness", "cal"),
    "happy": ("happy", "happiness", "joy", "joyful", "hap"),
    "sad": ("sad", "sadness", "sa"),
    "angry": ("angry", "anger", "ang"),
    "fear": ("fear", "fearful", "fea"),
    "disgust": ("disgust", "disgusted", "dis"),
    "surprise": ("surprise", "surprised", "sur", "ps", "pleasant surprise"),
}
"""Our emotion -> labels of published models that mean it, in any case. Other labels are asked for, never guessed."""
_EMOTION_OF_LABEL = {name: emotion for emotion, names in EMOTION_SYNONYMS.items() for name in names}


def describe_labels(label_map: Mapping[str, str | None]) -> str:
    """The mapping of labels to emotions, and the unmapped ones of both, as a sentence."""
    mapped = ", ".join(f"{label} is {emotion}" for label, emotion in label_map.items() if emotion)
    unmapped = [label for label, emotion in label_map.items() if not emotion]
    unknown = [emotion for emotion in EMOTIONS if emotion not in label_map.values()]
    parts = [f"Its labels: {mapped}."]
    if unmapped:
        parts.append(f"Spread over all emotions, as it is none of them: {', '.join(unmapped)}.")
    if unknown:
        parts.append(f"It has no label for {', '.join(unknown)}.")
    return " ".join(parts)


def map_labels_to_emotions(labels: list[str], label_map: Mapping[str, str | None]) -> dict[str, str | None]:
    """The emotion of each label: as in `label_map`, otherwise the one of which it is a known synonym.

    Raises:
        ValueError: unmapped labels, labels of the map that do not occur, or unknown emotions.
    """
    if strange := sorted(set(label_map) - set(labels)):
        raise ValueError(f"The map names {', '.join(strange)}; the model's labels are {', '.join(labels)}.")
    if strange := sorted({str(emotion) for emotion in label_map.values()} - {*EMOTIONS, "None"}):
        raise ValueError(f"The map names {', '.join(strange)}; the emotions are {', '.join(EMOTIONS)}, or null.")
    found = {label: label_map[label] if label in label_map else _synonym(label) for label in labels}
    if unmapped := [label for label in labels if not found[label] and label not in label_map]:
        line = " ".join(shlex.quote(f"{label}=none") for label in unmapped)
        raise ValueError(
            f"It predicts {', '.join(unmapped)}, which the program does not map to {', '.join(EMOTIONS)} by itself. "
            f"Add this, with an emotion in place of none where one fits: --map {line}"
        )
    if not any(found.values()):
        raise ValueError("None of its labels is an emotion of ours.")
    return found


def _synonym(label: str) -> str | None:
    return _EMOTION_OF_LABEL.get(label.strip().lower().replace("_", " "))


def labels_by_output(id2label: Mapping) -> list[str]:
    """The labels in the order of the outputs, which need not be the order of the file."""
    return [id2label[number] for number in sorted(id2label, key=int)]


def label_to_emotion_matrix(label_map: Mapping[str, str | None]) -> Tensor:
    """The share of each emotion in each label, shape = (n_labels, n_classes); rows sum to 1."""
    rows = [
        [float(emotion == mapped) if mapped else 1 / len(EMOTIONS) for emotion in EMOTIONS]
        for mapped in label_map.values()
    ]
    return torch.tensor(rows)
