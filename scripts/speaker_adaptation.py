"""What it is worth to know ten other recordings of a person: the "enrolled speaker" variant, reported apart.

python -m scripts.speaker_adaptation resonet      after scripts.prepare_corpora; writes assets/results/enrolled.json

The mean embedding of ten other clips of the speaker, drawn at random and without their labels, is taken from that of
each clip, and the mean of the training clips is put in its place. Nothing is trained.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ser_core import paths
from ser_core.data import SPEECH_CORPORA, AudioStore, ProtocolError, protocol_split, read_protocol, unseen_speaker_fold
from ser_core.inference import run_clips
from ser_core.metrics import confusion_matrix, uar
from ser_core.models import CheckpointError, SERModel, load_model

RESULT = paths.RESULTS / "enrolled.json"
N_ENROLLED = 10
SEED = 0


@dataclass(frozen=True, eq=False)
class Embedded:
    """The test speech of a model."""

    embeddings: np.ndarray  # mean over the windows of each clip, (n_clips, embedding_dim)
    y_true: np.ndarray  # (n_clips,)
    speakers: np.ndarray  # names, (n_clips,)
    corpora: np.ndarray  # names, (n_clips,)


def embedded(model: SERModel) -> Embedded:
    """Reads and embeds the test speech.

    Raises:
        ProtocolError: its speakers were heard in training, or recordings are missing.
    """
    protocol, fold = unseen_speaker_fold(model.name, model.metrics)
    store, test = AudioStore(), set(protocol_split(protocol, fold).test)
    known = [row for row in read_protocol(protocol) if row["utterance"] in test]
    rows = [row for row in known if row["corpus"] in SPEECH_CORPORA]
    if missing := sum(row["utterance"] not in store for row in rows):
        raise ProtocolError(
            f"{missing} of the {len(rows)} test recordings are not in the cache: scripts.prepare_corpora"
        )
    embeddings = run_clips(model, [store.trimmed(row["utterance"]) for row in rows]).embeddings
    return Embedded(
        embeddings=embeddings,
        y_true=np.array([model.config.labels.index(row["emotion"]) for row in rows]),
        speakers=np.array([row["speaker"] for row in rows]),
        corpora=np.array([row["corpus"] for row in rows]),
    )


def moved(clips: Embedded, known_mean: np.ndarray, n: int, seed: int) -> np.ndarray:
    """The embeddings with each speaker's mean, of n other clips, at the place of the training clips' mean."""
    rng, found = np.random.default_rng(seed), clips.embeddings.copy()
    for i, speaker in enumerate(clips.speakers):
        others = np.flatnonzero(clips.speakers == speaker)
        drawn = rng.choice(others[others != i], min(n, len(others) - 1), replace=False)
        if len(drawn):
            found[i] += known_mean - clips.embeddings[drawn].mean(0)
    return found


@torch.inference_mode()
def scores(model: SERModel, clips: Embedded, embeddings: np.ndarray) -> dict[str, float]:
    """UAR by corpus, and their mean."""
    y_pred = model.head(torch.from_numpy(embeddings.astype(np.float32))).argmax(1).numpy()
    found = {
        str(corpus): _uar(clips.y_true[clips.corpora == corpus], y_pred[clips.corpora == corpus], model.config.labels)
        for corpus in np.unique(clips.corpora)
    }
    return found | {"mean": round(float(np.mean(list(found.values()))), 4)}


def _uar(y_true: np.ndarray, y_pred: np.ndarray, labels: Sequence[str]) -> float:
    return round(float(uar(confusion_matrix(y_true, y_pred, len(labels)))), 4)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="names of checkpoints that were measured on unseen speakers")
    options = parser.parse_args(arguments)
    there = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    try:
        for name in options.models:
            model = load_model(name, "cpu")
            if model.novelty is None:
                raise CheckpointError(f"{name} does not know where its training clips lie: train it again.")
            clips = embedded(model)
            adapted = moved(clips, model.novelty.mean, N_ENROLLED, SEED)
            there[name] = {
                "protocol": model.metrics["protocol"],
                "fold": model.metrics["fold"],
                "command": f"python -m scripts.speaker_adaptation {name}",
                "n_enrolled": N_ENROLLED,
                "uar": scores(model, clips, clips.embeddings),
                "uar_enrolled": scores(model, clips, adapted),
            }
            print(json.dumps(there[name], indent=1))
    except (CheckpointError, FileNotFoundError, ProtocolError) as error:
        print(error, file=sys.stderr)
        return 2
    RESULT.write_text(json.dumps(there, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
