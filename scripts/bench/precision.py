"""Compares a network in 8 and 16 bits, as it predicts, with itself in 32 bits, on unseen speakers of every corpus.

python -m scripts.bench.precision [whisper] [--protocol speaker-independent-8] [--fold 0]      needs SER_CORPORA
python -m scripts.bench.precision [whisper] --batch       what a common batch changes, on the samples of the program
"""

import sys
from collections.abc import Sequence

import numpy as np

from scripts.common.errors import explains
from scripts.common.flags import command_parser
from scripts.common.tables import clip_bar, print_table
from ser_core import paths
from ser_core.audio import AUDIO_SUFFIXES, load_audio
from ser_core.data import PROTOCOLS, SPEAKER_INDEPENDENT_8, CorpusError, ProtocolError, protocol_folds
from ser_core.evaluation import compute_metrics, predict_utterances_per_model, read_test_part
from ser_core.inference import predict, predict_batch
from ser_core.models import CheckpointError, SERModel, load_model, use_float32


def print_batch_differences(models: Sequence[SERModel]) -> None:
    """The largest difference of a probability between predict and predict_batch, as it predicts and in 32 bits."""
    files = sorted(path for path in paths.SAMPLES.rglob("*") if path.suffix in AUDIO_SUFFIXES)
    waveforms = [load_audio(path) for path in files]
    for bits, model in zip(("8 and 16", "32"), models, strict=True):
        alone = [predict(model, waveform) for waveform in waveforms]
        pairs = zip(alone, predict_batch(model, waveforms), strict=True)
        most = max(abs(a.probabilities[e] - b.probabilities[e]) for a, b in pairs for e in a.probabilities)
        print(f"{bits} bits: {most:.1g} at most, {len(files)} clips")


@explains(CheckpointError, CorpusError, ProtocolError)
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("model", nargs="?", default="whisper")
    parser.add_argument("--protocol", choices=PROTOCOLS, default=SPEAKER_INDEPENDENT_8)
    parser.add_argument("--fold", help="of which the test part is used; default: the first")
    parser.add_argument("--batch", action="store_true", help="predict against predict_batch, on the samples")
    options = parser.parse_args(arguments)
    models = [load_model(options.model, "cpu") for _ in range(2)]
    use_float32(models[1])
    if options.batch:
        print_batch_differences(models)
        return 0
    fold = options.fold or next(iter(protocol_folds(options.protocol)), None)
    utterances, _ = read_test_part(options.protocol, fold, complete=False)
    with clip_bar("precision", len(utterances)) as show:
        tables = predict_utterances_per_model(models, utterances, show)
    rounded, exact = (compute_metrics(table).corpora for table in tables)
    rows = [(corpus, *(100 * scores[corpus].uar for scores in (rounded, exact))) for corpus in exact]
    rows.append(("mean", *np.mean([row[1:] for row in rows], axis=0)))
    cells = [(name, f"{a:.1f}", f"{b:.1f}", f"{a - b:+.1f}") for name, a, b in rows]
    print_table(["", "8 and 16 bits", "32 bits", "difference"], cells)
    return 0


if __name__ == "__main__":
    sys.exit(main())
