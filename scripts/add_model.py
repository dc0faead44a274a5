"""Adds a published audio classifier of transformers to the models of this program.

python -m scripts.add_model FOLDER_OR_NAME --as NAME [--map LABEL=EMOTION ...] [--labels map.json] [--download]

FOLDER_OR_NAME holds config.json, preprocessor_config.json and model.safetensors of a Wav2Vec2-, Hubert- or
WavLMForSequenceClassification: a folder, or a name on the hub that is in the local cache (--download fetches it).
--map joyous=happy other=none, or in map.json {"joyous": "happy", "other": null}: for labels that are no known synonym.
"""

import json
import re
import sys
from pathlib import Path

from scripts.common.errors import explains
from scripts.common.flags import command_parser
from ser_core import paths
from ser_core.evaluation import render_pretrained_card
from ser_core.models import (
    CARD_FILE,
    Calibration,
    CheckpointError,
    describe_labels,
    load_model,
    load_pretrained_classifier,
    save_model,
)

MIN_CONFIDENCE = 0.5  # by the model's own probability, a prediction below it is more often wrong than right


def label_map(path: Path | None) -> dict:
    """Raises ValueError for a file that is no JSON object."""
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f'{path} must hold one object, as {{"their label": "our emotion"}}.')
    return found


def parse_map(pairs: list[str]) -> dict:
    """Label -> emotion, None for "none".

    Raises:
        ValueError: not LABEL=EMOTION.
    """
    found: dict[str, str | None] = {}
    for pair in pairs:
        label, equals, emotion = pair.rpartition("=")
        if not (label and equals and emotion):
            raise ValueError(f"--map {pair!r} is not LABEL=EMOTION.")
        found[label] = None if emotion.lower() == "none" else emotion
    return found


def add(source: str, name: str, given: dict, download: bool) -> str:
    """Writes the checkpoint, and gives the words for it."""
    folder = paths.CHECKPOINTS / name
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}", name):
        raise ValueError(f"{name!r} is no name for a model: letters, digits, '.', '_' and '-', 60 at most.")
    if folder.exists():
        raise ValueError(f"There is a model {name} already. Choose another name, or delete {folder}.")
    model = load_pretrained_classifier(source, given, download)
    called = Path(source).name if Path(source).is_dir() else source
    save_model(model, folder, "stock", Calibration(min_confidence=MIN_CONFIDENCE), {"start": called})
    load_model(folder, "cpu")
    labels = describe_labels(model.config.answers)
    paths.write_text(folder / CARD_FILE, render_pretrained_card(name, called, model.n_parameters(), labels))
    return f"{name}: {labels}\nIt was never measured, and is not calibrated. Written to {folder}."


@explains(CheckpointError, ValueError)
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("source", metavar="FOLDER_OR_NAME")
    parser.add_argument("--as", dest="name", required=True, metavar="NAME")
    parser.add_argument("--map", nargs="+", default=[], metavar="LABEL=EMOTION")
    parser.add_argument("--labels", type=Path, metavar="FILE")
    parser.add_argument("--download", action="store_true", help="fetch a name that is not in the local cache")
    options = parser.parse_args(arguments)
    given = label_map(options.labels) | parse_map(options.map)
    print(add(options.source, options.name, given, options.download))
    return 0


if __name__ == "__main__":
    sys.exit(main())
