"""Fits the emotion offsets of trained heads, from their training clips.

python -m scripts.fit_offsets whisper runs/whisper-left-out-tess/checkpoint

scripts.train fits them too: this is for checkpoints without offsets.safetensors. Weights and version stay the same.
"""

import sys

import numpy as np

from scripts.common.errors import explains
from scripts.common.flags import command_parser
from scripts.common.train_head import own_embeddings, training_data
from ser_core import paths
from ser_core.data import ProtocolError
from ser_core.models import OFFSETS_FILE, CheckpointError, Whisper, checkpoint_folder, load_model, save_offsets
from ser_core.training import fit_emotion_offsets


def fitted(name: str) -> np.ndarray:
    """The offsets of a checkpoint, shape = (n_classes, embedding_dim).

    Raises:
        CheckpointError: another family, or no record of its training.
        ValueError: see training_data.
    """
    model = load_model(name, "cpu")
    if not isinstance(model, Whisper):
        raise CheckpointError(f"{name} is no head on a frozen encoder: only those have offsets, a fusion its members'.")
    data = training_data(name)
    return fit_emotion_offsets(own_embeddings(model, data), data.train, model.config.labels)


@explains(CheckpointError, ProtocolError, ValueError)
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("models", nargs="+", help="names or folders of checkpoints of the family whisper")
    for name in parser.parse_args(arguments).models:
        offsets = fitted(name)
        with paths.atomic_path(checkpoint_folder(name) / OFFSETS_FILE) as temporary:
            save_offsets(offsets, temporary)
        print(f"{name}: lengths {np.linalg.norm(offsets, axis=1).round(2).tolist()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
