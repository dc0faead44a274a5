"""Predictions for corpora that a head was not trained on, from the training clips alone.

They show what the model is worth on strangers, before any test clip is opened: temperature, abstention threshold and
distances of unfamiliar recordings are fitted on them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ser_core.models import fit_neighbour_reference
from ser_core.training.frozen.fit import EncoderFit

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
    fit: EncoderFit, progress: Callable[[str], None] = lambda corpus: None
) -> CrossCorpusPredictions:
    """Leaves each corpus of the training clips out in turn; the model of the fit is overwritten.

    Tuned layers are tuned again for each corpus, on the others only: what they learned from a corpus would flatter it.

    Args:
        progress: called with each corpus before its fit.
    """
    model, clips = fit.model, fit.clips
    corpora = np.array([clip.corpus.removesuffix("_song") for clip in clips])
    tested = np.array([clip.corpus != SUNG for clip in clips])
    logits = np.zeros((len(clips), len(model.config.labels)), np.float32)
    distances = np.zeros(len(clips), np.float32)
    for corpus in np.unique(corpora):
        progress(str(corpus))
        (train,), (test,) = np.nonzero(corpora != corpus), np.nonzero((corpora == corpus) & tested)
        statistics = fit(train, f"without-{corpus}")
        with torch.inference_mode():
            known, found = (model.projection(torch.from_numpy(statistics[rows])) for rows in (train, test))
            distances[test] = fit_neighbour_reference(known.numpy(), corpora[train]).distance(found.numpy())
            logits[test] = model.head(found).numpy()
    y_true = np.array([model.config.labels.index(clip.emotion) for clip in clips])
    return CrossCorpusPredictions(corpora[tested], y_true[tested], distances[tested], logits[tested])
