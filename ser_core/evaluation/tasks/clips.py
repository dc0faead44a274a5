"""Recordings of test parts."""

from collections import Counter
from collections.abc import Sequence

from ser_core.data import (
    CORPUS_NAMES,
    PROTOCOLS,
    ProtocolError,
    Utterance,
    corpora_root,
    is_speech,
    protocol_folds,
    protocol_split,
    read_corpora,
    split_name,
    unseen_speaker_fold,
)
from ser_core.models import SERModel


def read_test_part(protocol: str, fold: str | None, complete: bool) -> tuple[list[Utterance], str]:
    """Test part of a protocol, as far as its recordings are in the corpora folder.

    Args:
        complete: all recordings are required.

    Returns:
        The utterances, and a note on the missing recordings; "" if there are none.

    Raises:
        ProtocolError: all recordings are missing, or some are and `complete` is required.
    """
    available = read_corpora(corpora_root()).utterances
    wanted = set(protocol_split(protocol, fold).test)
    found = [utterance for utterance in available if utterance.id in wanted]
    missing = wanted - {utterance.id for utterance in found}
    if not missing:
        return found, ""
    note = f"Missing test recordings of {split_name(protocol, fold)}: {_count_missing(missing, wanted)}."
    if complete or not found:
        raise ProtocolError(f"{note} {_complete_parts({u.id for u in available}, len(found))}")
    return found, note


def _count_missing(missing: set[str], wanted: set[str]) -> str:
    """Missing clips by corpus, e.g. "SAVEE 5 of 120, TESS 1400 of 1400"."""
    n_missing, n_wanted = (Counter(i.split("/")[0] for i in ids) for ids in (missing, wanted))
    return ", ".join(f"{CORPUS_NAMES[c]} {n_missing[c]} of {n_wanted[c]}" for c in CORPUS_NAMES if n_missing[c])


def _complete_parts(available: set[str], n_found: int) -> str:
    parts = [(protocol, fold) for protocol in PROTOCOLS for fold in protocol_folds(protocol) or (None,)]
    complete = [split_name(*part) for part in parts if available.issuperset(protocol_split(*part).test)]
    partial = f" Without --write, the {n_found} available ones can be evaluated." if n_found else ""
    return f"Complete test parts: {', '.join(complete) or 'none'}.{partial}"


def read_unseen_speech(models: Sequence[SERModel], every: int) -> list[Utterance]:
    """Speech of the test part that several models share, every n-th clip.

    Raises:
        ProtocolError: speakers of the training part, missing recordings, or models with different test parts.
    """
    parts = {unseen_speaker_fold(model.name, model.metrics) for model in models}
    if len(parts) > 1:
        raise ProtocolError("These models have different test speakers: evaluate them one by one.")
    found, _ = read_test_part(*parts.pop(), complete=True)
    return [utterance for utterance in found if is_speech(utterance.corpus)][::every]
