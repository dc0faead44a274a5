"""Writes the model cards of the checkpoints again, from their config.json, metrics.json and assets/results.

python -m scripts.model_cards                     all evaluated checkpoints; nothing is measured
python -m scripts.model_cards prosonet resonet    only these
python -m scripts.model_cards --check             writes nothing; exit code 1 when a card is out of date
"""

import json
import sys
from collections.abc import Iterable

from scripts.common.errors import explains
from scripts.common.flags import command_parser
from ser_core import paths
from ser_core.data import ProtocolError
from ser_core.evaluation import ResultError, evaluation_sections, render_model_card
from ser_core.models import (
    CARD_FILE,
    CONFIG_FILE,
    CheckpointError,
    available_models,
    checkpoint_folder,
    load_model,
    read_metrics,
    training_record,
)


def render_card(name: str) -> str:
    """The card of a checkpoint that has been evaluated.

    Raises:
        CheckpointError, ProtocolError, ResultError: as the card's sources are missing or damaged.
    """
    folder = checkpoint_folder(name)
    if not training_record(folder):
        raise CheckpointError(f"{name} has no record of its training for the card. Get or train the model again.")
    config = json.loads((folder / CONFIG_FILE).read_text())
    n_parameters = load_model(name, "cpu").n_parameters()
    return render_model_card(name, config, read_metrics(name), n_parameters, evaluation_sections(name))


def outdated_cards(names: Iterable[str]) -> dict[str, str]:
    """Name -> new text of each card that differs from its file; pretrained models without metrics are skipped."""
    cards = {name: render_card(name) for name in names if read_metrics(name)}
    return {name: card for name, card in cards.items() if _card_text(name) != card}


def _card_text(name: str) -> str:
    path = checkpoint_folder(name) / CARD_FILE
    return path.read_text() if path.is_file() else ""


@explains(CheckpointError, ProtocolError, ResultError)
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("models", nargs="*", help="names of checkpoints; default: all")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when a card is out of date")
    options = parser.parse_args(arguments)
    outdated = outdated_cards(options.models or available_models())
    for name, card in outdated.items():
        print(f"{name}: {'out of date' if options.check else 'written'}")
        if not options.check:
            paths.write_text(checkpoint_folder(name) / CARD_FILE, card)
    return int(options.check and bool(outdated))


if __name__ == "__main__":
    sys.exit(main())
