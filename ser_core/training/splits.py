"""Clips of a protocol's parts, and the checks that keep test clips out of a training."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ser_core.data import CORPUS_NAMES, PROTOCOLS, AudioStore, ProtocolSplit, protocol_split, read_protocol, split_name
from ser_core.models import CONFIG_FILE, checkpoint_name, training_record
from ser_core.training.batches import TrainingData
from ser_core.training.config import TrainingError, TrainingExample


def read_training_data(protocol: str, split: ProtocolSplit, store: AudioStore) -> TrainingData:
    """Clips of the training and the development part that are in the store, without auxiliary tasks."""
    rows = {row["utterance"]: row for row in read_protocol(protocol)}
    train, dev = (
        [TrainingExample(i, *(rows[i][key] for key in ("corpus", "emotion", "speaker"))) for i in ids if i in store]
        for ids in (split.train, split.dev)
    )
    return TrainingData(train, dev, store)


def missing_clips(protocol: str, store: AudioStore) -> str:
    """Number of a protocol's recordings that are not in the store, e.g. "CREMA-D (3 of 7435), SAVEE (480 of 480)"."""
    rows = read_protocol(protocol)
    wanted = Counter(row["corpus"] for row in rows)
    missing = Counter(row["corpus"] for row in rows if row["utterance"] not in store)
    return ", ".join(f"{CORPUS_NAMES[corpus]} ({n} of {wanted[corpus]})" for corpus, n in missing.items())


def check_complete(protocol: str, store: AudioStore) -> None:
    """Checks that all recordings of a protocol are in the store.

    Raises:
        TrainingError: some are missing; the message lists the protocols that are complete.
    """
    if missing := missing_clips(protocol, store):
        complete = ", ".join(name for name in PROTOCOLS if not missing_clips(name, store)) or "none"
        raise TrainingError(
            f"Recordings of protocol {protocol!r} are missing: {missing}. Add them to SER_CORPORA and run "
            f"python -m scripts.prepare_corpora, or train on the rest with --partial. Complete protocols: {complete}."
        )


def start_name(start: str) -> str:
    """Name of start weights as a checkpoint records it: on a hub, of a run, or the last part of a path."""
    return checkpoint_name(start) if Path(start).exists() else start


def training_history(training: dict) -> list[dict]:
    """Protocol and fold of a training, and of every one it builds on; of each the own recordings.

    Args:
        training: see training_record.
    """
    own = {"fold": None} | {key: training[key] for key in ("protocol", "fold", "folder_clips") if key in training}
    before = (part for key in ("start", "teachers", "members") for part in training.get(f"{key}_trained_on", []))
    return [*([own] if "protocol" in own else []), *before]


def start_history(*starts: str | Path | None) -> list[dict]:
    """training_history of start weights, teachers or members, each entry once; those published elsewhere have none.

    Args:
        starts: folder or weights file of a checkpoint, or a name on a hub.

    Raises:
        CheckpointError: a damaged config.json.
    """
    found: list[dict] = []
    for path in (Path(start) for start in starts if start):
        folder = path if path.is_dir() else path.parent
        if path.exists() and (folder / CONFIG_FILE).is_file():
            found += [entry for entry in training_history(training_record(folder)) if entry not in found]
    return found


def leaked_clips(history: Sequence[dict], test: Iterable[str]) -> set[str]:
    """Test clips that were in the training or the development part of a training history."""
    splits = [protocol_split(entry["protocol"], entry["fold"]) for entry in history]
    return {*test} & {i for split in splits for i in (*split.train, *split.dev)}


def check_start_split(start: str | None, split: ProtocolSplit) -> None:
    """Checks that start weights were made without the test clips of a split.

    Raises:
        TrainingError: they were not.
    """
    for entry in start_history(start):
        if leaked := leaked_clips([entry], split.test):
            raise TrainingError(
                f"{start} was trained with {len(leaked)} of the {len(split.test)} test clips, under "
                f"{split_name(entry['protocol'], entry['fold'])}: every result would be a leak. Start from weights "
                "that were trained under the protocol and fold of this run, or from random ones."
            )


def check_teacher_split(teacher: str, protocol: str, fold: str | None) -> None:
    """Checks that a teacher was trained under the protocol and fold of its student, so that it knows no test clip.

    Raises:
        TrainingError: it was not.
    """
    if (protocol, fold) not in [(entry["protocol"], entry["fold"]) for entry in start_history(teacher)[:1]]:
        raise TrainingError(
            f"{teacher} was not trained under {split_name(protocol, fold)}: its predictions could leak test clips. "
            "Give teachers that were trained under the protocol and fold of this run."
        )
