"""Scores of a model for the clips of one corpus, from their embeddings: alone and enrolled."""

from collections.abc import Collection, Sequence

import numpy as np
import torch

from ser_core.evaluation.cross_corpus.expectation import COLLECTION_CLIPS, LABELLED_CLIPS, N_REFERENCE_CLIPS
from ser_core.inference import calibrated_probabilities
from ser_core.labels import COMMON_EMOTIONS, EMOTIONS, EVERYDAY
from ser_core.metrics import auroc, confusion_matrix, reliability, uar
from ser_core.models import NEUTRAL_SHARE, REFERENCE_SEED, SERModel, enrolled_logits
from ser_core.training import TrainingExample


@torch.inference_mode()
def corpus_report(
    model: SERModel, embeddings: np.ndarray, clips: Sequence[TrainingExample], scored: Collection[str] = EMOTIONS
) -> dict:
    """JSON-serialisable scores in [0, 1], to 4 places.

    Args:
        model: with its calibration; it takes references.
        embeddings: of the clips, shape = (n_clips, embedding_dim).
        clips: of one corpus, none of which the model was trained on.
        scored: emotions whose clips are scored; those of others are reference clips alone.

    Returns:
        `uar`: over all emotions of the corpus; `uar_common`: over the six emotions that the English corpora share, as
        far as this corpus has them, with the choice limited to them; the same with references of 1, 3, 10 and 30 other
        clips of the speaker, and of neutral ones, and of 30 other clips of the corpus (`collection`), and of neutral
        ones (`collection_neutral`); with 10 clips of which 7 are neutral (`everyday`; fewer where there are fewer
        neutral ones); in a model with emotion offsets, with what is known of the emotions (`labelled`,
        `neutral_labelled`, `everyday_labelled`); of each, without and with reference: `ece`, `coverage`,
        `accuracy_answered`, `accuracy`, `auroc_correct`, for calibration and abstention.
    """
    emotions, speakers = np.array([clip.emotion for clip in clips]), np.array([clip.speaker for clip in clips])
    logits = model.classify(torch.from_numpy(embeddings)).numpy()
    kept = np.isin(emotions, [*scored])
    found: dict = {"n_clips": int(kept.sum()), "n_speakers": len(set(speakers[kept]))}
    distances = model.novelty.distance(embeddings) if model.novelty else None

    def scores(logits: np.ndarray, weights: np.ndarray | None = None) -> dict[str, float]:
        scaled = model.calibration.scale(logits, distances, 0.0 if weights is None else weights)
        threshold = model.calibration.threshold(has_reference=weights is not None)
        return _scores(model, logits[kept], emotions[kept]) | _doubt(model, scaled[kept], emotions[kept], threshold)

    found |= scores(logits)
    enrolled = _relative_logits(model, embeddings, emotions, speakers)
    found["enrolled"] = {name: scores(*relative) for name, relative in enrolled.items()}
    return found


def _relative_logits(
    model: SERModel, embeddings: np.ndarray, emotions: np.ndarray, speakers: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Logits relative to each kind of reference, see corpus_report, and the weight of each clip's reference."""
    enrolled = {str(n): enrolled_logits(model, embeddings, speakers, n) for n in N_REFERENCE_CLIPS}
    together = np.full(len(speakers), "any speaker")
    enrolled["collection"] = enrolled_logits(model, embeddings, together, COLLECTION_CLIPS)
    parts: dict[str, tuple[np.ndarray | None, np.ndarray | None]] = {"labelled": (None, emotions)}  # usable, known
    if (neutral := emotions == "neutral").any():
        everyday = _everyday_clips(neutral, speakers)
        parts |= {"neutral": (neutral, None), "neutral_labelled": (neutral, emotions), "everyday": (everyday, None)}
        parts["everyday_labelled"] = (everyday, np.full(len(speakers), EVERYDAY))
        enrolled["collection_neutral"] = enrolled_logits(model, embeddings, together, COLLECTION_CLIPS, neutral)
    for name, (usable, known) in parts.items():
        if known is None or model.emotion_offsets is not None:
            enrolled[name] = enrolled_logits(model, embeddings, speakers, LABELLED_CLIPS, usable, known)
    return enrolled


def _everyday_clips(neutral: np.ndarray, speakers: np.ndarray) -> np.ndarray:
    """Clips of each speaker of which NEUTRAL_SHARE are neutral: all neutral ones and as many others as fit; bool."""
    rng, chosen = np.random.default_rng(REFERENCE_SEED), neutral.copy()
    for speaker in np.unique(speakers):
        (others,) = np.nonzero((speakers == speaker) & ~neutral)
        n_neutral = int((neutral & (speakers == speaker)).sum())
        chosen[rng.permutation(others)[: round(n_neutral * (1 / NEUTRAL_SHARE - 1))]] = True
    return chosen


def _scores(model: SERModel, logits: np.ndarray, emotions: np.ndarray) -> dict[str, float]:
    labels = model.config.labels
    y_true = np.array([labels.index(emotion) for emotion in emotions])
    common = [labels.index(emotion) for emotion in COMMON_EMOTIONS if emotion in emotions]
    kept = np.isin(y_true, common)
    found = {"uar": round(float(uar(confusion_matrix(y_true, logits.argmax(1), len(labels)))), 4)}
    if common:
        chosen = np.array(common)[logits[kept][:, common].argmax(1)]
        found["uar_common"] = round(float(uar(confusion_matrix(y_true[kept], chosen, len(labels)))), 4)
    return found


def _doubt(model: SERModel, logits: np.ndarray, emotions: np.ndarray, threshold: float) -> dict[str, float]:
    """Calibration and abstention over all emotions.

    Args:
        logits: from Calibration.scale, shape = (n, n_classes).
        threshold: of the confidence.
    """
    probabilities = calibrated_probabilities(model, logits)
    y_true = np.array([model.config.labels.index(emotion) for emotion in emotions])
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == y_true
    answered = confidence >= threshold
    return {
        "ece": round(float(reliability(probabilities, y_true).ece), 4),
        "coverage": round(float(answered.mean()), 4),
        "accuracy_answered": round(float(correct[answered].mean()), 4) if answered.any() else 0.0,
        "accuracy": round(float(correct.mean()), 4),
        "auroc_correct": round(auroc(confidence[~correct], confidence[correct]), 4),
    }
