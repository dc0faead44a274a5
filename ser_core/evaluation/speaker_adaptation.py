"""Speaker adaptation by enrolment: the gain from a few unlabelled clips of the same speaker, without training.

The mean embedding of some other clips of a speaker is subtracted from the embedding of each of their clips, and the
mean of the training clips is added instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ser_core.data import AudioStore, ProtocolError, is_speech, protocol_split, read_protocol, unseen_speaker_fold
from ser_core.inference import run_clips
from ser_core.metrics import confusion_matrix, uar
from ser_core.models import SERModel

N_ENROLMENT_CLIPS = 10
ENROLMENT_SEED = 0


@dataclass(frozen=True, eq=False)
class EmbeddedSpeech:
    """Test speech of a model as embeddings."""

    embeddings: np.ndarray  # mean over the windows of each clip, (n_clips, embedding_dim)
    y_true: np.ndarray  # (n_clips,)
    speakers: np.ndarray  # names, (n_clips,)
    corpora: np.ndarray  # names, (n_clips,)


def evaluate_enrolment(
    model: SERModel, clips: EmbeddedSpeech, n_clips: int = N_ENROLMENT_CLIPS, seed: int = ENROLMENT_SEED
) -> dict:
    """UAR in [0, 1] by corpus without and with enrolment: "n_enrolled", "uar", "uar_enrolled".

    Args:
        model: with an out-of-distribution detector, which holds the mean of the training clips.
        n_clips: enrolment clips per speaker.
        seed: of their choice.

    Raises:
        ValueError: the model has no detector.
    """
    if model.novelty is None:
        raise ValueError(f"{model.name} has no out-of-distribution detector, which holds the mean.")
    adapted = adapt_to_speakers(clips, model.novelty.mean, n_clips, seed)
    return {
        "n_enrolled": n_clips,
        "uar": _uar_by_corpus(model, clips, clips.embeddings),
        "uar_enrolled": _uar_by_corpus(model, clips, adapted),
    }


def embed_test_speech(model: SERModel) -> EmbeddedSpeech:
    """Embeds the speech of a model's test part.

    Raises:
        FileNotFoundError: no cache.
        ProtocolError: speakers of the training part, or missing recordings.
    """
    protocol, fold = unseen_speaker_fold(model.name, model.metrics)
    store, test = AudioStore(), set(protocol_split(protocol, fold).test)
    known = [row for row in read_protocol(protocol) if row["utterance"] in test]
    rows = [row for row in known if is_speech(row["corpus"])]
    if missing := sum(row["utterance"] not in store for row in rows):
        raise ProtocolError(
            f"{missing} of the {len(rows)} test recordings are not in the cache: python -m scripts.prepare_corpora"
        )
    return EmbeddedSpeech(
        embeddings=run_clips(model, [store.trimmed(row["utterance"]) for row in rows]).embeddings,
        y_true=np.array([model.config.labels.index(row["emotion"]) for row in rows]),
        speakers=np.array([row["speaker"] for row in rows]),
        corpora=np.array([row["corpus"] for row in rows]),
    )


def adapt_to_speakers(clips: EmbeddedSpeech, training_mean: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Embeddings with the mean of the training clips in place of the speaker's, shape = (n_clips, embedding_dim).

    Args:
        training_mean: shape = (embedding_dim,).
        n: other clips from which the speaker's mean is computed.
    """
    rng, adapted = np.random.default_rng(seed), clips.embeddings.copy()
    for i, speaker in enumerate(clips.speakers):
        others = np.flatnonzero(clips.speakers == speaker)
        drawn = rng.choice(others[others != i], min(n, len(others) - 1), replace=False)
        if len(drawn):
            adapted[i] += training_mean - clips.embeddings[drawn].mean(0)
    return adapted


@torch.inference_mode()
def _uar_by_corpus(model: SERModel, clips: EmbeddedSpeech, embeddings: np.ndarray) -> dict[str, float]:
    """UAR of each corpus, and "mean" over them."""
    y_pred = model.classify(torch.from_numpy(embeddings.astype(np.float32))).argmax(1).numpy()
    found = {}
    for corpus in np.unique(clips.corpora):
        own = clips.corpora == corpus
        found[str(corpus)] = _uar(clips.y_true[own], y_pred[own], model.config.labels)
    return found | {"mean": round(float(np.mean(list(found.values()))), 4)}


def _uar(y_true: np.ndarray, y_pred: np.ndarray, labels: Sequence[str]) -> float:
    return round(float(uar(confusion_matrix(y_true, y_pred, len(labels)))), 4)
