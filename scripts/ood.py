"""Evaluates out-of-distribution detection: non-speech against speech of unseen speakers.

python -m scripts.ood prosonet                           synthetic sounds; after scripts.prepare_corpora
python -m scripts.ood whisper-prosonet --recorded        recorded sounds: fold 5 of ESC-50, in SER_CORPORA
python -m scripts.ood prosonet --recorded --every 4      with every fourth clip of speech

Writes assets/results/novelty.json. For each kind of sound: the area under the ROC curve of the distance from the
training data, the share of sounds that the program abstains from, and the reason.
"""

import json
import shlex
import sys
from collections import defaultdict
from functools import partial

from scripts.common.errors import check_writable, explains
from scripts.common.flags import command_parser, positive
from scripts.common.noises import load_noise
from scripts.common.tables import share_bars
from ser_core import paths
from ser_core.data import CorpusError, ProtocolError, StoreError, corpora_root, read_noises
from ser_core.evaluation import evaluate_ood_detection, evaluate_recorded_sounds, read_trimmed_test_speech
from ser_core.models import CheckpointError, SERModel, load_model

RESULT = paths.RESULTS / "novelty.json"
N_SOUNDS = 200  # of each kind


def evaluate(model: SERModel) -> dict:
    """Entry of one model in the result file."""
    speech = read_trimmed_test_speech(model)
    with share_bars() as show:
        found = evaluate_ood_detection(model, speech, N_SOUNDS, partial(show, model.name))
    return {
        "protocol": model.metrics["protocol"],
        "fold": model.metrics["fold"],
        "command": f"python -m scripts.ood {shlex.quote(model.name)}",
    } | found


def evaluate_recorded(model: SERModel, every: int) -> dict:
    """Entry of one model for recorded sounds.

    Args:
        every: uses every n-th clip of the speech.
    """
    speech, sounds = read_trimmed_test_speech(model)[::every], defaultdict(list)
    for noise in read_noises(corpora_root(), "test"):
        sounds[noise.name].append(load_noise(noise.path))
    with share_bars() as show:
        found = evaluate_recorded_sounds(model, speech, sounds, partial(show, model.name))
    thinned = f" --every {every}" if every > 1 else ""
    return {"command": f"python -m scripts.ood {shlex.quote(model.name)} --recorded{thinned}"} | found


@explains(CheckpointError, CorpusError, ProtocolError, StoreError)
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("models", nargs="+", help="names of checkpoints that were evaluated on unseen speakers")
    parser.add_argument("--recorded", action="store_true", help="recorded sounds instead of synthetic ones")
    parser.add_argument("--every", type=positive, default=1, help="with --recorded: every n-th clip of the speech")
    options = parser.parse_args(arguments)
    if options.every > 1 and not options.recorded:
        parser.error("--every needs --recorded")
    check_writable(RESULT)
    for name in options.models:
        model = load_model(name)
        if model.novelty is None:
            raise CheckpointError(f"{name} has no out-of-distribution detector: train it again.")
        found = {"recorded": evaluate_recorded(model, options.every)} if options.recorded else evaluate(model)
        print(json.dumps(found, indent=1))
        results = paths.read_json(RESULT)
        entry = {model.name: results.get(model.name, {}) | found}  # the name, also of a folder
        paths.write_json(RESULT, results | entry)
    return 0


if __name__ == "__main__":
    sys.exit(main())
