"""Scores of a model for the clips of one corpus, from their embeddings: alone and enrolled."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from ser_core.evaluation.cross_corpus.expectation import COLLECTION_CLIPS
from ser_core.labels import COMMON_EMOTIONS
from ser_core.metrics import confusion_matrix, reliability, uar
from ser_core.models import SERModel, reference_weight
from ser_core.training import TrainingExample

N_REFERENCE_CLIPS = (1, 3, 10, 30)
"""Sizes of the enrolments that are measured."""
NEUTRAL_REFERENCE_CLIPS = 10
REFERENCE_SEED = 0


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
        clips of the speaker, and of neutral ones, and of 30 other clips of the corpus (`collection`), and of neutral
        ones (`collection_neutral`); `ece`, `coverage`, `accuracy_answered`, `auroc_correct`: calibration
        and abstention of the predictions without reference.
    """
    emotions, speakers = np.array([clip.emotion for clip in clips]), np.array([clip.speaker for clip in clips])
    logits = model.classify(torch.from_numpy(embeddings)).numpy()
    found: dict = {"n_clips": len(clips), "n_speakers": len(set(speakers))}
    distances = model.novelty.distance(embeddings) if model.novelty else None
    scaled = model.calibration.scale_by_distance(logits, distances)
    found |= _scores(model, logits, emotions) | _doubt(model, scaled, emotions)
    enrolled = {str(n): enrolled_logits(model, embeddings, speakers, n) for n in N_REFERENCE_CLIPS}
    together = np.full(len(clips), "any speaker")
    enrolled["collection"] = enrolled_logits(model, embeddings, together, COLLECTION_CLIPS)
    if "neutral" in emotions:
        neutral = emotions == "neutral"
        enrolled["neutral"] = enrolled_logits(model, embeddings, speakers, NEUTRAL_REFERENCE_CLIPS, neutral)
        enrolled["collection_neutral"] = enrolled_logits(model, embeddings, together, COLLECTION_CLIPS, neutral)
    found["enrolled"] = {name: _scores(model, rows, emotions) for name, rows in enrolled.items()}
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
    """Calibration and abstention over all emotions.

    Args:
        logits: scaled by the distance, shape = (n, n_classes).
    """
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


@torch.inference_mode()
def enrolled_logits(
    model: SERModel, embeddings: np.ndarray, speakers: np.ndarray, n_clips: int, usable: np.ndarray | None = None
) -> np.ndarray:
    """Logits relative to other clips of the same speaker, drawn at random; of a speaker without others, logits alone.

    Args:
        model: that takes a reference.
        embeddings: of the clips, shape = (n, embedding_dim).
        speakers: names, shape = (n,).
        n_clips: of a reference; fewer, where a speaker has fewer.
        usable: True for clips that may be in a reference, shape = (n,); None: all.

    Returns:
        shape = (n, n_classes).
    """
    rng = np.random.default_rng(REFERENCE_SEED)
    usable = np.ones(len(speakers), bool) if usable is None else usable
    logits = model.classify(torch.from_numpy(embeddings)).numpy()
    for speaker in np.unique(speakers):
        (own,) = np.nonzero(speakers == speaker)
        (pool,) = np.nonzero((speakers == speaker) & usable)
        if len(pool) < 2:
            continue
        chosen = [_others(pool, int(row), n_clips, rng) for row in own]
        references = torch.from_numpy(np.stack([embeddings[rows].mean(0) for rows in chosen]))
        weights = torch.tensor([[reference_weight(len(rows))] for rows in chosen])
        logits[own] = model.classify(torch.from_numpy(embeddings[own]), references, weights).numpy()
    return logits


def _others(pool: np.ndarray, row: int, n_clips: int, rng: np.random.Generator) -> np.ndarray:
    others = pool[pool != row]
    return rng.choice(others, min(n_clips, len(others)), replace=False)
