"""Evaluates out-of-distribution detection: synthetic non-speech against speech of unseen speakers.

python -m scripts.ood resonet      after scripts.prepare_corpora; writes assets/results/novelty.json

For each kind of sound: the area under the ROC curve of the embedding's distance alone, the share of sounds that the
program abstains from, and the reason.
"""

import argparse
import json
import sys

from tqdm import tqdm

from ser_core import paths
from ser_core.data import ProtocolError
from ser_core.evaluation import evaluate_ood_detection, read_trimmed_test_speech
from ser_core.models import CheckpointError, SERModel, load_model

RESULT = paths.RESULTS / "novelty.json"
N_SOUNDS = 200  # of each kind


def evaluate(model: SERModel) -> dict:
    """Entry of one model in the result file."""
    speech = read_trimmed_test_speech(model)
    with tqdm(desc=model.name, total=1.0, bar_format="{l_bar}{bar}| {elapsed}") as bar:
        found = evaluate_ood_detection(model, speech, N_SOUNDS, lambda share: bar.update(share - bar.n))
    return {
        "protocol": model.metrics["protocol"],
        "fold": model.metrics["fold"],
        "command": f"python -m scripts.ood {model.name}",
    } | found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="names of checkpoints that were evaluated on unseen speakers")
    options = parser.parse_args(arguments)
    try:
        for name in options.models:
            model = load_model(name)
            if model.novelty is None:
                raise CheckpointError(f"{name} has no out-of-distribution detector: train it again.")
            found = evaluate(model)
            print(json.dumps(found, indent=1))
            results = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
            RESULT.write_text(json.dumps(results | {name: found}, indent=1) + "\n")
    except (CheckpointError, FileNotFoundError, ProtocolError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
