"""Whether a model tells sounds that are no speech from speech of people it has never heard.

python -m scripts.ood resonet      after scripts.prepare_corpora; writes assets/results/novelty.json

Three figures for each kind of sound: how well the distance of the embedding alone parts it from speech (area under the
ROC curve), how much of it is answered with "not sure" in the program, and for which reason.
"""

import argparse
import json
import sys
from collections import Counter

import numpy as np
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from ser_core import paths
from ser_core.audio import trim_silence
from ser_core.data import SPEECH_CORPORA, AudioStore, ProtocolError, protocol_split, unseen_speaker_fold
from ser_core.evaluation import NON_SPEECH_SOUNDS, draw_non_speech
from ser_core.inference import MAX_NOVELTY_PERCENTILE, predict, run_clips
from ser_core.models import CheckpointError, SERModel, load_model

RESULT = paths.RESULTS / "novelty.json"
N_SOUNDS = 200  # of each kind


def test_speech(model: SERModel) -> list[np.ndarray]:
    """Of the test part, trimmed.

    Raises:
        ProtocolError: its speakers were heard in training, or no recording is there.
    """
    ids = protocol_split(*unseen_speaker_fold(model.name, model.metrics)).test
    store = AudioStore()
    found = [store.trimmed(i) for i in ids if i in store and i.split("/")[0] in SPEECH_CORPORA]
    if not found:
        raise ProtocolError("None of the test recordings is in the cache: python -m scripts.prepare_corpora")
    return found


def measured(model: SERModel) -> dict:
    """The content of the result for one model."""
    speech = run_clips(model, test_speech(model)).distances
    far, said = {}, {}
    for kind in NON_SPEECH_SOUNDS:
        rng = np.random.default_rng(0)
        sounds = [draw_non_speech(kind, rng) for _ in tqdm(range(N_SOUNDS), desc=kind)]
        bounds = (trim_silence(sound) for sound in sounds)
        far[kind] = run_clips(model, [sound[a:b] for sound, (a, b) in zip(sounds, bounds, strict=True)]).distances
        said[kind] = [refusal(model, sound) for sound in sounds]
    alone = np.concatenate([*far.values()])
    unheard = np.concatenate([*said.values()]) == "no speech"
    return {
        "protocol": model.metrics["protocol"],
        "fold": model.metrics["fold"],
        "command": f"python -m scripts.ood {model.name}",
        "n_speech": len(speech),
        "n_sounds": N_SOUNDS,
        "auroc": area(speech, alone),
        "auroc_with_vad": area(speech, np.where(unheard, np.finfo(np.float32).max, alone)),
        "fpr95": round(float((speech >= np.quantile(alone, 0.05)).mean()), 4),
        "speech_called_unknown": round(float((speech > model.novelty.unseen[-1]).mean()), 4),
        "kinds": {
            kind: {"auroc": area(speech, far[kind]), "answers": dict(Counter(said[kind]))} for kind in NON_SPEECH_SOUNDS
        },
    }


def area(speech: np.ndarray, sounds: np.ndarray) -> float:
    """Under the ROC curve: the chance that a sound lies further out than speech does."""
    unknown = np.r_[np.zeros(len(speech)), np.ones(len(sounds))]
    return round(float(roc_auc_score(unknown, np.r_[speech, sounds])), 4)


def refusal(model: SERModel, sound: np.ndarray) -> str:
    """What the program says: "no speech", "unknown", "uncertain" or "an emotion"."""
    prediction = predict(model, sound)
    if not prediction.abstain:
        return "an emotion"
    if prediction.reason.startswith("No speech"):
        return "no speech"
    return "unknown" if prediction.novelty == MAX_NOVELTY_PERCENTILE else "uncertain"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="names of checkpoints that were measured on unseen speakers")
    options = parser.parse_args(arguments)
    try:
        for name in options.models:
            model = load_model(name)
            if model.novelty is None:
                raise CheckpointError(f"{name} does not know how far it is from what it learned: train it again.")
            found = measured(model)
            print(json.dumps(found, indent=1))
            there = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
            RESULT.write_text(json.dumps(there | {name: found}, indent=1) + "\n")
    except (CheckpointError, FileNotFoundError, ProtocolError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
