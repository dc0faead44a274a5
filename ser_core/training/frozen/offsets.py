"""Where the emotions lie around the voice of a speaker: what labelled reference clips have that the voice has not."""

from collections.abc import Sequence

import numpy as np

from ser_core.training.config import TrainingExample
from ser_core.training.frozen.cross_corpus import SUNG, corpora_of

MIN_CORPORA = 3  # with an emotion: of fewer, nobody knows what carries over to a further one


def fit_emotion_offsets(embeddings: np.ndarray, clips: Sequence[TrainingExample], labels: Sequence[str]) -> np.ndarray:
    """Mean offset of each emotion from all clips of the same speaker, as far as it carries over to another corpus.

    The mean over corpora is shrunk by one factor for each emotion: the slope, by least squares over all corpora, of the
    offset of a corpus on the mean of the others. In that it is an empirical Bayes estimate (Efron and Morris 1973).

    Args:
        embeddings: of the training clips, shape = (n_clips, embedding_dim).
        clips: with speakers.
        labels: of the model.

    Returns:
        shape = (n_labels, embedding_dim), float32; zeros for an emotion of fewer than three corpora.
    """
    spoken = np.array([clip.corpus != SUNG for clip in clips])
    corpora, speakers = corpora_of(clips), np.array([clip.speaker for clip in clips])
    emotions = np.array([clip.emotion for clip in clips])
    found = np.zeros((len(labels), embeddings.shape[1]), np.float32)
    for row, emotion in enumerate(labels):
        by_corpus = [
            _corpus_offset(embeddings[own], speakers[own], emotions[own] == emotion)
            for own in (spoken & (corpora == corpus) for corpus in np.unique(corpora[spoken & (emotions == emotion)]))
        ]
        if len(by_corpus) >= MIN_CORPORA:
            found[row] = _shrunk_mean(np.stack(by_corpus))
    return found


def _corpus_offset(embeddings: np.ndarray, speakers: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Mean over the speakers of a corpus of the chosen clips' mean less that of all, shape = (embedding_dim,)."""
    own = (speakers == speaker for speaker in np.unique(speakers[chosen]))
    return np.mean([embeddings[rows & chosen].mean(0) - embeddings[rows].mean(0) for rows in own], 0)


def _shrunk_mean(offsets: np.ndarray) -> np.ndarray:
    """The mean of the corpora's offsets, shape = (n_corpora, embedding_dim), times the slope on that of the others."""
    others = (offsets.sum(0) - offsets) / (len(offsets) - 1)
    slope = (offsets * others).sum() / ((others**2).sum() or 1.0)
    return np.clip(slope, 0, 1) * offsets.mean(0)
