"""Measures speed on this machine, each figure next to its reference.

python -m scripts.bench.benchmark [--model NAME] [--json FILE]
python -m scripts.bench.benchmark --long FILE       only a recording of your own, e.g. of an hour

Ends with a table of what each model costs, measured now, and its comparison with openSMILE and an SVM.
"""

import argparse
import sys
from pathlib import Path

from scripts.bench.benchmark.costs import MODEL_COLUMNS, costs, model_rows, sentences
from scripts.bench.benchmark.speed import (
    clip_of_three_seconds,
    features_against_librosa,
    file_of_ten_minutes,
    long_file,
    speech,
    training,
)
from scripts.common.errors import explains
from scripts.common.flags import command_parser, writable_path
from scripts.common.tables import print_table
from ser_core import paths
from ser_core.audio import AudioError, measure_quality, speech_segments
from ser_core.data import ProtocolError
from ser_core.evaluation import ResultError, compare_with_baseline, cost_table
from ser_core.metrics import round_floats
from ser_core.models import CheckpointError, SERModel, load_model


def print_models(models: dict) -> dict:
    """A row a model, and the comparison with the baseline, which is returned."""
    baseline = compare_with_baseline(models)
    print_table(MODEL_COLUMNS, model_rows(models), n_left=0)
    print("\n".join(sentences(baseline)))
    return baseline


def benchmark_parser() -> argparse.ArgumentParser:
    parser = command_parser(__doc__)
    parser.add_argument("--model", default="resonet", help="the one that is looked at closely")
    parser.add_argument("--json", type=writable_path, help="also write the figures to this file")
    parser.add_argument("--long", type=Path, metavar="FILE", help="measure only this recording")
    return parser


@explains(AudioError, CheckpointError, ProtocolError, ResultError)
def main(arguments: list[str] | None = None) -> int:
    options = benchmark_parser().parse_args(arguments)
    model = load_model(options.model, "cpu")
    if options.long:
        speech_segments(speech(3.0)), measure_quality(speech(3.0))  # loads what they need
        print_figures(long_file(model, options.long))
        return 0
    figures, measured = closely(model), costs()
    models = cost_table(measured)
    if measured:
        largest = max(measured.values(), key=lambda entry: entry["size_mb"])
        figures["largest checkpoint, load [s]"] = largest["load_s"]
    baseline = print_models(models)
    if options.json:
        written = figures | {"models": models, "yardstick": baseline}
        paths.write_json(options.json, round_floats(written))
    return 0


def closely(model: SERModel) -> dict[str, float]:
    """Everything that is measured of one model; printed as it comes."""
    figures = {}
    for part in (
        lambda: clip_of_three_seconds(model),
        lambda: file_of_ten_minutes(model),
        features_against_librosa,
        training,
    ):
        figures |= print_figures(part())
    return figures


def print_figures(figures: dict[str, float]) -> dict[str, float]:
    """The figures again, after printing them."""
    print("\n".join(f"{name:<52}{value:>10.2f}" for name, value in figures.items()), flush=True)
    return figures


if __name__ == "__main__":
    sys.exit(main())
