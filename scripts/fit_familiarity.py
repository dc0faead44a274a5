"""Fits the thresholds of familiarity of trained heads, from their training clips.

python -m scripts.fit_familiarity whisper runs/whisper-left-out-tess/checkpoint

scripts.train fits them too: this is for checkpoints without thresholds. Weights and version stay the same.
"""

import sys

from scripts.common.errors import explains
from scripts.common.flags import command_parser
from scripts.common.train_head import own_embeddings, training_data
from ser_core import paths
from ser_core.data import ProtocolError
from ser_core.evaluation import fit_familiarity
from ser_core.models import (
    NOVELTY_FILE,
    CheckpointError,
    NoveltyDetector,
    Whisper,
    checkpoint_folder,
    load_model,
)


def fitted(name: str) -> NoveltyDetector:
    """The detector of a checkpoint with new thresholds.

    Raises:
        CheckpointError: another family, or a checkpoint without a detector or a record of its training.
        ValueError: see training_data.
    """
    model = load_model(name, "cpu")
    if not isinstance(model, Whisper) or model.novelty is None:
        raise CheckpointError(f"{name} has no detector by near neighbours.")
    data = training_data(name)
    return fit_familiarity(model.novelty, own_embeddings(model, data), data.train)


@explains(CheckpointError, ProtocolError, ValueError)
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("models", nargs="+", help="names or folders of checkpoints of the family whisper")
    for name in parser.parse_args(arguments).models:
        novelty = fitted(name)
        with paths.atomic_path(checkpoint_folder(name) / NOVELTY_FILE) as temporary:
            novelty.save(temporary)
        print(f"{name}: thresholds {novelty.thresholds}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
