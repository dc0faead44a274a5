"""Evaluates robustness: UAR under noise, rooms, codecs, clipping and gain control, on unseen speakers.

python -m scripts.robustness prosonet resonet              needs SER_CORPORA; writes assets/results/robustness.json
python -m scripts.robustness prosonet resonet --every 4    a quarter of the clips: half an hour on two cores

The noise is fold 5 of ESC-50 (folder esc50 of the corpora), without its human sounds; training uses folds 1 to 4.
"""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from scripts.common.bars import tqdm
from scripts.common.errors import check_writable, explains
from scripts.common.flags import command_parser, positive
from scripts.common.noises import load_noise
from scripts.common.tables import print_table
from ser_core import paths
from ser_core.audio import AudioError
from ser_core.data import CorpusError, ProtocolError, Utterance, corpora_root, read_noises
from ser_core.evaluation import CLEAN, RobustnessScores, evaluate_robustness, read_unseen_speech
from ser_core.metrics import round_floats
from ser_core.models import CheckpointError, SERModel, load_model

RESULT = paths.RESULTS / "robustness.json"


def read_test_noises(root: Path) -> list[np.ndarray]:
    """Environmental sounds of ESC-50's fold 5 that are not human, each of shape (n_samples,).

    Raises:
        CorpusError: there are none, or one cannot be read.
    """
    waveforms = (load_noise(noise.path) for noise in read_noises(root, "test") if not noise.is_human)
    return [waveform for waveform in waveforms if waveform.any()]


def evaluate(
    models: Sequence[SERModel], utterances: Sequence[Utterance], noises: Sequence[np.ndarray]
) -> list[dict[str, RobustnessScores]]:
    """Scores of each model by condition, with a progress bar."""
    with tqdm(total=1.0, bar_format="{desc:<20}{bar}| {percentage:.0f} % {elapsed}") as bar:

        def show(condition: str, share: float) -> None:
            bar.set_description_str(condition, refresh=False)
            bar.update(share - bar.n)

        return evaluate_robustness(models, utterances, noises, show)


def print_scores(model: SERModel, found: dict[str, RobustnessScores]) -> None:
    rows = (
        (name, *(f"{100 * value:.1f}" for value in (r.uar, r.lost, r.unchanged, r.answered)))
        for name, r in found.items()
    )
    title = f"{model.name}, {found[CLEAN].n_clips} clips of unseen speakers"
    print_table(["", "UAR %", "lost", "same prediction %", "answered %"], rows, title)


def write(model: SERModel, found: dict[str, RobustnessScores], command: str) -> None:
    """Replaces the model's entry in the result file, and those of models evaluated under other conditions."""
    stored = paths.read_json(RESULT).items()
    results = {name: entry for name, entry in stored if entry["conditions"].keys() == found.keys()}
    results[model.name] = {
        "protocol": model.metrics["protocol"],
        "fold": model.metrics["fold"],
        "command": command,
        "conditions": {name: round_floats(asdict(r)) for name, r in found.items()},
    }
    paths.write_json(RESULT, results)


@explains(AudioError, CheckpointError, CorpusError, ProtocolError)
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("models", nargs="+", help="names of checkpoints that were evaluated on unseen speakers")
    parser.add_argument("--every", type=positive, default=1, help="use only every n-th clip")
    options = parser.parse_args(arguments)
    check_writable(RESULT)
    models = [load_model(name) for name in options.models]
    utterances = read_unseen_speech(models, options.every)
    found = evaluate(models, utterances, read_test_noises(corpora_root()))
    every = f" --every {options.every}" if options.every > 1 else ""
    for model, own in zip(models, found, strict=True):
        print_scores(model, own)
        write(model, own, f"python -m scripts.robustness {shlex.join(options.models)}{every}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
