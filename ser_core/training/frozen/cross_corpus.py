"""Predictions for corpora that a head was not trained on, from the training clips alone.

They show what the model is worth on strangers, before any test clip is opened: temperature, abstention threshold and
distances of unfamiliar recordings are fitted on them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ser_core.models import Whisper, fit_neighbour_reference
from ser_core.training.config import TrainingExample
from ser_core.training.frozen.head import HeadConfig, fit_head

SUNG = "ravdess_song"
"""Trained on, never a corpus of its own: its singers are the speakers of RAVDESS."""


@dataclass(frozen=True, eq=False)
class CrossCorpusPredictions:
    """Outputs for each clip of a head that was fitted without its corpus."""

    corpora: np.ndarray  # names, (n_clips,)
    y_true: np.ndarray  # class indices, (n_clips,)
    distances: np.ndarray  # from the head's training clips, see NoveltyDetector, (n_clips,)
    logits: np.ndarray  # (n_clips, n_classes)


def predict_left_out_corpora(
    model: Whisper,
    statistics: Sequence[np.ndarray],
    clips: Sequence[TrainingExample],
    config: HeadConfig,
    progress: Callable[[str], None] = lambda corpus: None,
) -> CrossCorpusPredictions:
    """Leaves each corpus of the training clips out in turn; projection and head of the model are overwritten.

    Args:
        statistics: of the clips in every pass of the recipe, see fit_head; predictions are of the first one.
        progress: called with each corpus before its fit.
    """
    corpora = np.array([clip.corpus.removesuffix("_song") for clip in clips])
    tested = np.array([clip.corpus != SUNG for clip in clips])
    logits = np.zeros((len(clips), len(model.config.labels)), np.float32)
    distances = np.zeros(len(clips), np.float32)
    for corpus in np.unique(corpora):
        progress(str(corpus))
        (train,), (test,) = np.nonzero(corpora != corpus), np.nonzero((corpora == corpus) & tested)
        fit_head(model, [rows[train] for rows in statistics], [clips[int(i)] for i in train], config)
        with torch.inference_mode():
            known, found = (model.projection(torch.from_numpy(statistics[0][rows])) for rows in (train, test))
            distances[test] = fit_neighbour_reference(known.numpy(), corpora[train]).distance(found.numpy())
            logits[test] = model.head(found).numpy()
    y_true = np.array([model.config.labels.index(clip.emotion) for clip in clips])
    return CrossCorpusPredictions(corpora[tested], y_true[tested], distances[tested], logits[tested])
