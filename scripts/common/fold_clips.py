"""Clips of the folds of a protocol."""

from collections.abc import Sequence

from ser_core.data import AudioStore, ProtocolSplit, is_speech, protocol_split
from ser_core.training import TrainingExample, read_training_data


def spoken_test_clips(protocol: str, fold: str) -> list[TrainingExample]:
    """The test clips of a fold without those that are sung."""
    return [clip for clip in read_clips(protocol, protocol_split(protocol, fold).test) if is_speech(clip.corpus)]


def read_clips(protocol: str, ids: Sequence[str]) -> Sequence[TrainingExample]:
    """The clips of one part of a split."""
    return read_training_data(protocol, ProtocolSplit(tuple(ids), (), ()), AudioStore()).train
