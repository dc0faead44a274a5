"""How models are drawn: colours and markers of their own, which no emotion has."""

import zlib
from dataclasses import dataclass

PALETTE = ("#0B7A8A", "#C2405A", "#9A6B3F", "#5A5FCF", "#7D8C12", "#5E7387")  # 3:1 on white and on the dark theme
MARKERS = ("hexagon", "pentagon", "bowtie", "hourglass", "star-diamond", "octagon")
DASHES = ("solid", "dash", "dot")  # tell models of one colour apart
FIRST_MODELS = (
    "whisper-prosonet",
    "whisper-light",
    "prosonet",
    "whisper",
    "resonet",
    "svm-egemaps",
    "random-forest",
    "decision-tree",
    "cnn-lstm",
    "simple-cnn",
    "resonet-no-attention",
    "resonet-no-gru",
    "resonet-no-residual",
    "resnet101",
    "vgg16",
    "vgg19",
)
"""Those that have a place in the palette; others get one from their name."""


@dataclass(frozen=True)
class ModelStyle:
    """Colour, marker and dash of one model."""

    colour: str
    marker: str
    dash: str


def model_style(name: str) -> ModelStyle:
    """The same for a model in every figure."""
    known = name in FIRST_MODELS
    place = FIRST_MODELS.index(name) if known else zlib.crc32(name.encode())
    turn, index = divmod(place, len(PALETTE))
    return ModelStyle(PALETTE[index], MARKERS[(index + turn) % len(MARKERS)], DASHES[turn % len(DASHES)])


def series_colour(i: int) -> str:
    """Colour of the i-th series of a figure whose series are neither emotions nor models."""
    return PALETTE[-1 - i % len(PALETTE)]
