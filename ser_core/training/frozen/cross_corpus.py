"""Predictions for corpora, and for speakers, that a head was not trained on, from the training clips alone.

They show what the model is worth on unseen corpora and speakers, before any test clip is opened: temperature,
abstention threshold and distances of unfamiliar recordings are fitted on them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ser_core.models import enrolled_logits, fit_neighbour_reference
from ser_core.training.config import TrainingError, TrainingExample
from ser_core.training.frozen.fit import EncoderFit

SUNG = "ravdess_song"
"""Trained on, never a corpus of its own: its singers are the speakers of RAVDESS."""
N_SPEAKER_FOLDS = 5
ENROLMENT_CLIPS = 10
"""Of a speaker, with which the calibration of predictions with a reference is fitted."""
MIN_SPEAKERS = 3  # of a corpus in training, to know its unseen speakers


@dataclass(frozen=True, eq=False)
class UnseenPredictions:
    """Outputs for each clip of a head that was fitted without its corpus, or without its speaker."""

    corpora: np.ndarray  # names, (n_clips,)
    y_true: np.ndarray  # class indices, (n_clips,)
    distances: np.ndarray  # from the head's training clips, see NoveltyDetector, (n_clips,)
    logits: np.ndarray  # (n_clips, n_classes)
    enrolled_logits: np.ndarray  # relative to ENROLMENT_CLIPS other clips of the speaker, (n_clips, n_classes)
    reference_weights: np.ndarray  # of these references; 0: no other clip, (n_clips,)

    def select(self, rows: np.ndarray) -> "UnseenPredictions":
        """Those of some clips; rows: bool or indices."""
        return UnseenPredictions(*(column[rows] for column in vars(self).values()))

    @classmethod
    def concatenate(cls, parts: Sequence["UnseenPredictions"]) -> "UnseenPredictions":
        """All rows of the parts, one after the other."""
        return cls(*(np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])))


def predict_left_out_corpora(
    fit: EncoderFit, progress: Callable[[str], None] = lambda corpus: None
) -> UnseenPredictions:
    """Leaves each corpus of the training clips out in turn; the model of the fit is overwritten.

    Tuned layers are tuned again for each corpus, on the others only: what they learned from a corpus would flatter it.

    Args:
        progress: called with each corpus before its fit.
    """
    return _predict_left_out(fit, corpora_of(fit.clips), np.ones(len(fit.clips), bool), progress)


def check_corpora(clips: Sequence[TrainingExample]) -> None:
    """Checks that a corpus can be left out, before anything is computed.

    Raises:
        TrainingError: all clips are of one corpus.
    """
    if len(found := {*corpora_of(clips)}) < 2:
        raise TrainingError(
            f"The training clips are of one corpus alone ({', '.join(found)}). Two or more are needed: the confidence "
            "is fitted on each by a head that was not trained on it. Choose another --protocol, or add a --folder."
        )


def predict_unseen_speakers(
    fit: EncoderFit, progress: Callable[[str], None] = lambda speakers: None
) -> UnseenPredictions:
    """Leaves a fifth of the speakers of each corpus out in turn; arguments and model as above.

    Corpora of fewer than MIN_SPEAKERS are left out: without one of them they are hardly known.
    """
    speakers, corpora = np.array([clip.speaker for clip in fit.clips]), corpora_of(fit.clips)
    many = [c for c in np.unique(corpora) if len(np.unique(speakers[corpora == c])) >= MIN_SPEAKERS]
    return _predict_left_out(fit, speaker_folds(fit.clips), np.isin(corpora, many), progress)


def corpora_of(clips: Sequence[TrainingExample]) -> np.ndarray:
    """Names of the clips' corpora, shape = (n_clips,); song is part of its corpus."""
    return np.array([clip.corpus.removesuffix("_song") for clip in clips])


def speaker_folds(clips: Sequence[TrainingExample]) -> np.ndarray:
    """A fold for each clip, by its speaker, evenly over the speakers of each corpus; names, shape = (n_clips,)."""
    speakers, corpora = np.array([clip.speaker for clip in clips]), corpora_of(clips)
    folds = {
        s: i % N_SPEAKER_FOLDS for c in np.unique(corpora) for i, s in enumerate(np.unique(speakers[corpora == c]))
    }
    return np.array([f"speakers-{folds[speaker]}" for speaker in speakers])


def _predict_left_out(
    fit: EncoderFit, groups: np.ndarray, tested: np.ndarray, progress: Callable[[str], None]
) -> UnseenPredictions:
    """Predictions for the spoken clips among those tested, of each group by a model fitted without the group.

    Args:
        groups: names, shape = (n_clips,).
        tested: which clips are, shape = (n_clips,), bool.
    """
    model, clips = fit.model, fit.clips
    corpora, tested = corpora_of(clips), tested & [clip.corpus != SUNG for clip in clips]
    speakers = np.array([clip.speaker for clip in clips])
    logits, enrolled = np.zeros((2, len(clips), len(model.config.labels)), np.float32)
    distances, weights = np.zeros((2, len(clips)), np.float32)
    for group in np.unique(groups[tested]):
        progress(str(group))
        (train,), (test,) = np.nonzero(groups != group), np.nonzero((groups == group) & tested)
        statistics = fit(train, f"without-{group}")
        with torch.inference_mode():
            known, found = (model.projection(torch.from_numpy(statistics[rows])) for rows in (train, test))
            distances[test] = fit_neighbour_reference(known.numpy(), corpora[train]).distance(found.numpy())
            logits[test] = model.head(found).numpy()
            enrolled[test], weights[test] = enrolled_logits(model, found.numpy(), speakers[test], ENROLMENT_CLIPS)
    y_true = np.array([model.config.labels.index(clip.emotion) for clip in clips])
    return UnseenPredictions(corpora, y_true, distances, logits, enrolled, weights).select(tested)
