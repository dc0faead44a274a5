"""Compares the encoder in 8 bits, as it predicts, with the same encoder in 32 bits, on unseen speakers of every corpus.

python -m scripts.bench.int8 [whisper] [--protocol speaker-independent-8] [--fold 0]          needs SER_CORPORA
"""

import argparse
import sys

import numpy as np
from tqdm import tqdm

from scripts.common.tables import print_table
from ser_core.data import PROTOCOLS, CorpusError, ProtocolError
from ser_core.evaluation import compute_metrics, predict_utterances_per_model, read_test_part
from ser_core.models import CheckpointError, load_model, use_float32


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="whisper")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="speaker-independent-8")
    parser.add_argument("--fold", default="0", help="of which the test part is used")
    options = parser.parse_args(arguments)
    try:
        models = [load_model(options.model, "cpu") for _ in range(2)]
        use_float32(models[1])
        utterances, _ = read_test_part(options.protocol, options.fold, complete=False)
    except (CheckpointError, CorpusError, ProtocolError) as error:
        print(error, file=sys.stderr)
        return 2
    with tqdm(total=len(utterances), unit="clip") as bar:
        tables = predict_utterances_per_model(models, utterances, lambda n_done: bar.update(n_done - bar.n))
    quantised, exact = (compute_metrics(table).corpora for table in tables)
    rows = [(corpus, *(100 * scores[corpus].uar for scores in (quantised, exact))) for corpus in exact]
    rows.append(("mean", *np.mean([row[1:] for row in rows], axis=0)))
    cells = [(name, f"{a:.1f}", f"{b:.1f}", f"{a - b:+.1f}") for name, a, b in rows]
    print_table(["", "8 bits", "32 bits", "difference"], cells)
    return 0


if __name__ == "__main__":
    sys.exit(main())
