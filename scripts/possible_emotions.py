"""Counts how often a model is right for every choice of possible emotions, alone and with ten clips of the speaker.

python -m scripts.possible_emotions whisper                      of a head, from the cache of the encoder's outputs
python -m scripts.possible_emotions whisper-prosonet --every 4   of the fusion, from one in four clips of each corpus

Writes assets/results/possible-emotions-<model>.json and prints the scores of some choices. Trains nothing: it needs the
models of all folds in checkpoints, of left-out corpora and of unseen speakers. A count is of clips of one emotion with
the same emotions ahead of it: among emotions without any of these, the model is right.
"""

import sys

import numpy as np

from scripts.common.errors import explains
from scripts.common.flags import command_parser, positive
from scripts.common.fold_clips import spoken_test_clips
from scripts.fuse import FOLD, NAME, embeddings_of, fold_fusion, left_out_fusion, sample
from scripts.result_blocks.possible import possible_emotions
from scripts.train_heads import embed_clips
from ser_core import paths
from ser_core.data import LEFT_OUT, SPEAKER_INDEPENDENT_8, AudioStore, CorpusError, StoreError, protocol_folds
from ser_core.evaluation import counts_by_corpus, counts_path, sum_counts
from ser_core.models import CheckpointError, SERModel, Whisper, load_model
from ser_core.training import TrainingError, TrainingExample, check_complete

MODELS = ("whisper", "whisper-light", NAME)
PROTOCOLS = (LEFT_OUT, SPEAKER_INDEPENDENT_8)


def fold_model(name: str, protocol: str, fold: str) -> SERModel:
    """The model of a fold, which was trained without its test part.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    if name == NAME:
        return left_out_fusion(fold) if protocol == LEFT_OUT else fold_fusion(fold)
    if protocol == LEFT_OUT:
        return load_model(f"folds/{name}-left-out-{fold}", "cpu")
    return load_model(name if fold == FOLD else f"folds/{name}-{fold}", "cpu")


def embeddings(model: SERModel, clips: list[TrainingExample], title: str) -> np.ndarray:
    """Of trimmed clips, shape = (n_clips, embedding_dim); errors as embeddings_of."""
    return embed_clips(model, clips) if isinstance(model, Whisper) else embeddings_of(model, clips, title)


def protocol_counts(name: str, protocol: str, every: int) -> dict[str, dict]:
    """Counts of all folds by corpus, of one of every n clips; errors as main."""
    parts = []
    for fold in protocol_folds(protocol):
        model, clips = fold_model(name, protocol, fold), sample(spoken_test_clips(protocol, fold), every)
        parts.append(counts_by_corpus(model, embeddings(model, clips, f"{protocol} {fold}"), clips))
    return sum_counts(parts)


@explains(CheckpointError, CorpusError, StoreError, TrainingError)
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--every", type=positive, default=1, help="use one in n clips of each corpus, drawn at random")
    options = parser.parse_args(arguments)
    for protocol in PROTOCOLS:  # before the work
        check_complete(protocol, AudioStore())
    protocols = {protocol: protocol_counts(options.model, protocol, options.every) for protocol in PROTOCOLS}
    found = {"model": options.model, "every": options.every, "protocols": protocols}
    paths.write_json(counts_path(options.model), found)
    print(possible_emotions())
    return 0


if __name__ == "__main__":
    sys.exit(main())
