"""How much of a model's skill is left under noise, codecs, rooms and other speeds, on speakers it has never heard.

python -m scripts.robustness prosonet resonet              needs SER_CORPORA; writes assets/results/robustness.json
python -m scripts.robustness prosonet resonet --every 3    a third of the clips: half an hour on two cores
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from tqdm import tqdm

from scripts.evaluate import recordings
from ser_core import paths
from ser_core.audio import AudioError, load_audio
from ser_core.data import SPEECH_CORPORA, CorpusError, ProtocolError, Utterance, unseen_speaker_fold
from ser_core.evaluation import (
    PredictionTable,
    RobustnessScores,
    degradation_conditions,
    measure_robustness,
    predict_degraded,
)
from ser_core.metrics import round_floats
from ser_core.models import CheckpointError, SERModel, load_model

RESULT = paths.RESULTS / "robustness.json"
AS_IT_IS = "as it is"
N_VOICES = 200  # that babble is made of


def test_part(models: Sequence[SERModel], every: int) -> list[Utterance]:
    """The speech that the models are tested on.

    Raises:
        ProtocolError: speakers that were heard in training, recordings that are missing, or models of several parts.
    """
    parts = {unseen_speaker_fold(model.name, model.metrics) for model in models}
    if len(parts) > 1:
        raise ProtocolError("These models are tested on different speakers: measure them one after the other.")
    found = recordings(*parts.pop(), all_of_them=True)
    return [u for u in found if u.corpus in SPEECH_CORPORA][::every]


def measured(models: Sequence[SERModel], utterances: Sequence[Utterance]) -> list[dict[str, RobustnessScores]]:
    """Of each model by condition; the recordings as they are come first."""
    voices = [load_audio(u.path) for u in utterances[:: max(1, len(utterances) // N_VOICES)]]
    before = heard(AS_IT_IS, models, utterances, lambda waveform, rng: waveform)
    found = [{AS_IT_IS: measure_robustness(answers, answers)} for answers in before]
    for name, change in degradation_conditions(voices).items():
        after = heard(name, models, utterances, change)
        for own, *pair in zip(found, before, after, strict=True):
            own[name] = measure_robustness(*pair)
    return found


def heard(name: str, models: Sequence[SERModel], utterances: Sequence[Utterance], change) -> list[PredictionTable]:
    with tqdm(desc=f"{name:<20}", total=len(utterances), unit="clip") as bar:
        return predict_degraded(models, utterances, change, lambda n_done: bar.update(n_done - bar.n))


def print_table(model: SERModel, found: dict[str, RobustnessScores]) -> None:
    print(f"\n{model.name}, {found[AS_IT_IS].n_clips} clips of speakers it has never heard")
    print(f"{'':<22}{'UAR %':>8}{'lost':>8}{'same answer %':>16}{'answered %':>13}")
    for name, r in found.items():
        cells = (r.uar, r.lost, r.unchanged, r.answered)
        print(f"{name:<22}" + "".join(f"{100 * v:>{w}.1f}" for v, w in zip(cells, (8, 8, 16, 13), strict=True)))


def write(model: SERModel, found: dict[str, RobustnessScores], command: str) -> None:
    """Into the file of all models; the others stay."""
    there = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    there[model.name] = {
        "protocol": model.metrics["protocol"],
        "fold": model.metrics["fold"],
        "command": command,
        "conditions": {name: round_floats(asdict(r)) for name, r in found.items()},
    }
    RESULT.write_text(json.dumps(there, indent=1) + "\n")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="names of checkpoints that were measured on unseen speakers")
    parser.add_argument("--every", type=int, default=1, help="take only every n-th clip")
    options = parser.parse_args(arguments)
    try:
        models = [load_model(name) for name in options.models]
        found = measured(models, test_part(models, options.every))
    except (AudioError, CheckpointError, CorpusError, ProtocolError) as error:
        print(error, file=sys.stderr)
        return 2
    every = f" --every {options.every}" if options.every > 1 else ""
    for model, own in zip(models, found, strict=True):
        print_table(model, own)
        write(model, own, f"python -m scripts.robustness {' '.join(options.models)}{every}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
