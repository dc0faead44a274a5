"""Train, dev and test part of a protocol, read from its committed file."""

from dataclasses import dataclass
from functools import lru_cache

from ser_core.data.protocols.assignment import LEFT_OUT, SPEAKER_INDEPENDENT, SPEAKER_OVERLAP
from ser_core.data.protocols.files import ProtocolError, protocol_folds, read_protocol
from ser_core.data.protocols.folds import N_FOLDS

N_DEV_SPEAKERS = {"ravdess": 2, "crema_d": 6, "hindi": 1, "ased": 2}  # the others have too few speakers for a dev part


@dataclass(frozen=True)
class ProtocolSplit:
    """Utterance ids of one train/dev/test split."""

    train: tuple[str, ...]
    dev: tuple[str, ...]
    test: tuple[str, ...]


def protocol_split(name: str, fold: str | int | None = None) -> ProtocolSplit:
    """One train/dev/test split of a protocol.

    Args:
        name: a key of PROTOCOLS.
        fold: the test fold; None for protocols with a single split.

    Raises:
        ProtocolError: unknown protocol or fold.
    """
    rows = read_protocol(name)
    if "part" in rows[0]:
        if fold is not None:
            raise ProtocolError(f"Protocol {name!r} has a single split and takes no fold.")
        return ProtocolSplit(
            *(tuple(r["utterance"] for r in rows if r["part"] == part) for part in ("train", "dev", "test"))
        )
    if str(fold) not in protocol_folds(name):
        fault = "needs a fold" if fold is None else f"has no fold {fold!r}"
        raise ProtocolError(f"Protocol {name!r} {fault}. There are: {', '.join(protocol_folds(name))}.")
    dev = _choose_dev_speakers(rows, int(str(fold))) if name.startswith(SPEAKER_INDEPENDENT) else set()
    return _split_fold(rows, str(fold), dev, tests_song=name != LEFT_OUT)


def _split_fold(rows: list[dict[str, str]], fold: str, dev: set[str], tests_song: bool) -> ProtocolSplit:
    """Split of the rows of a protocol file.

    Args:
        fold: the test fold.
        dev: speakers of the development part.
        tests_song: the test part has song; otherwise the song of the test fold is in no part.
    """
    parts: dict[str, list[str]] = {"train": [], "dev": [], "test": []}
    for row in rows:
        part = "test" if row["fold"] == fold else "dev" if row["speaker"] in dev else "train"
        if part != "test" or tests_song or row["corpus"] != "ravdess_song":
            parts[part].append(row["utterance"])
    return ProtocolSplit(*(tuple(parts[part]) for part in ("train", "dev", "test")))


def _choose_dev_speakers(rows: list[dict[str, str]], fold: int) -> set[str]:
    """First speakers of the fold after the test fold, N_DEV_SPEAKERS per corpus."""
    following = str((fold + 1) % N_FOLDS)
    chosen: set[str] = set()
    for corpus, n in N_DEV_SPEAKERS.items():
        speakers = sorted({r["speaker"] for r in rows if r["corpus"] == corpus and r["fold"] == following})
        chosen.update(speakers[:n])
    return chosen


@lru_cache(maxsize=64)
def training_speakers(protocol: str, fold: str | None) -> frozenset[str]:
    """Speakers of the training and of the development part. Errors as in protocol_split."""
    split = protocol_split(protocol, fold)
    known = {*split.train, *split.dev}
    return frozenset(row["speaker"] for row in read_protocol(protocol) if row["utterance"] in known)


def unseen_speaker_fold(model_name: str, metrics: dict) -> tuple[str, str | None]:
    """Protocol and fold of the unseen test speakers of a model.

    Args:
        metrics: content of the checkpoint's metrics.json.

    Raises:
        ProtocolError: it was evaluated on training speakers, or not at all.
    """
    if metrics.get("protocol") in (None, *SPEAKER_OVERLAP):
        raise ProtocolError(f"{model_name} was not evaluated on unseen speakers.")
    return metrics["protocol"], metrics.get("fold")
