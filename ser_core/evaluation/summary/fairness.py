"""Scores of groups of speakers: by sex, by age, by corpus."""

from collections.abc import Callable

from ser_core.data import CORPUS_NAMES, Utterance, corpus_name
from ser_core.evaluation.scoring.predictions import BOOTSTRAP_SEED, PredictionTable
from ser_core.metrics import Scores, compute_scores

AGE_BOUNDS = (30, 45)  # years
GROUPINGS: dict[str, Callable[[Utterance], str | None]] = {
    "sex": lambda u: None if u.sex == "unknown" else u.sex,
    "age": lambda u: None if u.age is None else age_group(u.age),
    "corpus": lambda u: corpus_name(u.corpus),
}
"""What speakers are grouped by -> the group of an utterance; None where it is unknown."""


def age_group(age: int) -> str:
    """The interval of AGE_BOUNDS that an age in years is in, as text."""
    below = next((bound for bound in AGE_BOUNDS if age < bound), None)
    first = max((bound for bound in AGE_BOUNDS if age >= bound), default=None)
    if below is None:
        return f"{first} or older"
    return f"below {below}" if first is None else f"{first} to {below - 1}"


def score_groups(predictions: PredictionTable, by: str) -> dict[str, Scores]:
    """Scores of each group, in order; clips of unknown group are left out.

    Args:
        by: one of GROUPINGS.
    """
    group_of = GROUPINGS[by]
    found = dict.fromkeys(group for u in predictions.utterances if (group := group_of(u)))
    if by == "corpus":
        order = [group for group in dict.fromkeys([*CORPUS_NAMES.values(), *found]) if group in found]
    else:
        order = sorted(found, key=lambda group: (not group.startswith("below"), group))
    return {group: _scores(predictions, group_of, group) for group in order}


def _scores(predictions: PredictionTable, group_of: Callable[[Utterance], str | None], group: str) -> Scores:
    """With intervals over the speakers of all corpora as one sample: a group has few speakers of each."""
    part = predictions.select(lambda utterance: group_of(utterance) == group)
    return compute_scores(part.y_true, part.y_pred, part.speakers, len(part.labels), BOOTSTRAP_SEED)
