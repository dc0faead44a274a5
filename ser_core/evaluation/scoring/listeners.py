"""Predictions against the votes of listeners, and the listeners against the intended emotion."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ser_core.data import ListenerVotes, Utterance
from ser_core.evaluation.scoring.predictions import PROBABILITY_FLOOR, PredictionTable
from ser_core.metrics import cross_entropy, entropy


@dataclass(frozen=True)
class ListenerVoteScores:
    """Probabilities against the votes of CREMA-D's listeners on the audio alone."""

    n_clips: int
    nll: float  # cross entropy with the votes, nats
    entropy_floor: float  # entropy of the votes, nats: the lower bound of nll


def score_against_votes(predictions: PredictionTable, votes: ListenerVotes) -> ListenerVoteScores | None:
    """Probabilities against the votes of listeners, on the clips with votes; None without any."""
    voted = predictions.select(lambda u: u.id in votes)
    if not voted.utterances:
        return None
    targets = np.stack([votes[u.id] for u in voted.utterances])
    found = cross_entropy(np.maximum(voted.probabilities, PROBABILITY_FLOOR), targets)
    return ListenerVoteScores(len(targets), found, entropy(targets))


def score_listeners(votes: ListenerVotes, utterances: Sequence[Utterance], labels: Sequence[str]) -> dict[str, float]:
    """UAR of listeners of the voice alone against the intended emotion, on the utterances with votes; in [0, 1].

    Returns:
        n_clips; single_listener: of one listener drawn at random; plurality: of the most frequent vote (ties drawn).
    """
    voted = [u for u in utterances if u.id in votes]
    y_true = np.array([labels.index(u.emotion) for u in voted])
    shares = np.stack([votes[u.id] for u in voted])
    most = shares == shares.max(1, keepdims=True)
    own_share, own_most = (part[np.arange(len(voted)), y_true] for part in (shares, most / most.sum(1, keepdims=True)))

    def mean_over_emotions(values: np.ndarray) -> float:
        return float(np.mean([values[y_true == k].mean() for k in np.unique(y_true)]))

    return {
        "n_clips": len(voted),
        "single_listener": mean_over_emotions(own_share),
        "plurality": mean_over_emotions(own_most),
    }
