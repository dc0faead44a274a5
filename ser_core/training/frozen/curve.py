"""The learning curve of a head on a frozen encoder, in the words of those of networks."""

from collections.abc import Sequence

import numpy as np
import torch

from ser_core.models import Whisper
from ser_core.training.config import TrainingExample
from ser_core.training.runs import confusion_by_corpus, dev_figures


class HeadCurve:
    """Takes down each epoch of fit_head: loss on mixed training clips, and UAR of development clips, each alone.

    Args:
        model: that is fitted.
        statistics: of the development clips by the encoder, shape = (n_clips, n_statistics).
        clips: of development; without any, the curve has the loss only.
    """

    def __init__(self, model: Whisper, statistics: np.ndarray, clips: Sequence[TrainingExample]):
        self.model, self.statistics, self.clips = model, torch.from_numpy(statistics), clips
        self.records: list[dict] = []

    @torch.no_grad()
    def __call__(self, record: dict) -> None:
        if self.clips:
            y_pred = self.model.classify(self.model.projection(self.statistics)).argmax(1).numpy()
            record |= dev_figures(confusion_by_corpus(self.clips, y_pred, self.model.config.labels))
        self.records.append(record)
