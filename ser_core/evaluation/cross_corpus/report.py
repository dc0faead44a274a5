"""Scores of a model for the clips of one corpus, from their embeddings: alone and enrolled."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from ser_core.labels import COMMON_EMOTIONS
from ser_core.metrics import confusion_matrix, reliability, uar
from ser_core.models import SERModel
from ser_core.training import TrainingExample

N_REFERENCE_CLIPS = (1, 3, 10, 30)
"""Sizes of the enrolments that are measured."""
NEUTRAL_REFERENCE_CLIPS = 10
REFERENCE_SEED = 0


@dataclass(frozen=True, eq=False)
class EmbeddedClips:
    """Clips of one corpus as embeddings."""

    embeddings: np.ndarray  # (n_clips, embedding_dim)
    emotions: np.ndarray  # names, (n_clips,)
    speakers: np.ndarray  # names, (n_clips,)


@torch.inference_mode()
def corpus_report(model: SERModel, embeddings: np.ndarray, clips: Sequence[TrainingExample]) -> dict:
    """JSON-serialisable scores in [0, 1], to 4 places.

    Args:
        model: with its calibration; it takes references.
        embeddings: of the clips, shape = (n_clips, embedding_dim).
        clips: of one corpus, none of which the model was trained on.

    Returns:
        `uar`: over all emotions of the corpus; `uar_common`: over the six emotions that the English corpora share, as
        far as this corpus has them, with the choice limited to them; the same with references of 1, 3, 10 and 30 other
        clips of the speaker, and of neutral ones; `ece`, `coverage`, `accuracy_answered`, `auroc_correct`: calibration
        and abstention of the predictions without reference.
    """
    embedded = EmbeddedClips(
        embeddings,
        np.array([clip.emotion for clip in clips]),
        np.array([clip.speaker for clip in clips]),
    )
    logits = model.classify(torch.from_numpy(embeddings)).numpy()
    found: dict = {"n_clips": len(clips), "n_speakers": len(set(embedded.speakers))}
    found |= _scores(model, logits, embedded.emotions) | _doubt(model, logits, embedded.emotions)
    enrolled = {str(n): _enrolled_logits(model, embedded, n) for n in N_REFERENCE_CLIPS}
    if "neutral" in embedded.emotions:
        enrolled["neutral"] = _enrolled_logits(model, embedded, NEUTRAL_REFERENCE_CLIPS, neutral=True)
    found["enrolled"] = {name: _scores(model, rows, embedded.emotions) for name, rows in enrolled.items()}
    return found


def _scores(model: SERModel, logits: np.ndarray, emotions: np.ndarray) -> dict[str, float]:
    labels = model.config.labels
    y_true = np.array([labels.index(emotion) for emotion in emotions])
    common = [labels.index(emotion) for emotion in COMMON_EMOTIONS if emotion in emotions]
    kept = np.isin(y_true, common)
    chosen = np.array(common)[logits[kept][:, common].argmax(1)]
    return {
        "uar": round(float(uar(confusion_matrix(y_true, logits.argmax(1), len(labels)))), 4),
        "uar_common": round(float(uar(confusion_matrix(y_true[kept], chosen, len(labels)))), 4),
    }


def _doubt(model: SERModel, logits: np.ndarray, emotions: np.ndarray) -> dict[str, float]:
    """Calibration and abstention over all emotions."""
    probabilities = softmax(logits.astype(np.float64) / model.calibration.temperature, axis=-1)
    y_true = np.array([model.config.labels.index(emotion) for emotion in emotions])
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == y_true
    answered = confidence >= model.calibration.min_confidence
    return {
        "ece": round(float(reliability(probabilities, y_true).ece), 4),
        "coverage": round(float(answered.mean()), 4),
        "accuracy_answered": round(float(correct[answered].mean()), 4) if answered.any() else 0.0,
        "accuracy": round(float(correct.mean()), 4),
        "auroc_correct": round(float(roc_auc_score(correct, confidence)), 4),
    }


def _enrolled_logits(model: SERModel, clips: EmbeddedClips, n_clips: int, neutral: bool = False) -> np.ndarray:
    """Logits relative to other clips of the same speaker; of a speaker without others, logits without reference."""
    rng = np.random.default_rng(REFERENCE_SEED)
    usable = clips.emotions == "neutral" if neutral else np.ones(len(clips.emotions), bool)
    logits = model.classify(torch.from_numpy(clips.embeddings)).numpy()
    for speaker in np.unique(clips.speakers):
        (own,) = np.nonzero(clips.speakers == speaker)
        (pool,) = np.nonzero((clips.speakers == speaker) & usable)
        if len(pool) < 2:
            continue
        references = np.stack([_mean_of_others(clips.embeddings, pool, int(row), n_clips, rng) for row in own])
        embeddings = torch.from_numpy(clips.embeddings[own])
        logits[own] = model.classify(embeddings, torch.from_numpy(references)).numpy()
    return logits


def _mean_of_others(
    embeddings: np.ndarray, pool: np.ndarray, row: int, n_clips: int, rng: np.random.Generator
) -> np.ndarray:
    others = pool[pool != row]
    return embeddings[rng.choice(others, min(n_clips, len(others)), replace=False)].mean(0)
