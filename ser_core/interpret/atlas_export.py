"""Making of an atlas from the recordings in the audio cache; an interrupted export continues where it stopped."""

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ser_core import paths
from ser_core.data import (
    SPEAKER_INDEPENDENT,
    AudioStore,
    ProtocolSplit,
    audio_cache_folder,
    protocol_split,
    read_protocol,
    unseen_speaker_fold,
)
from ser_core.inference import calibrated_probabilities, clip_windows, mean_over_windows, run_windows
from ser_core.interpret.atlas import (
    ATLAS_PARTS,
    DEVELOPMENT_PART,
    NO_PREDICTION,
    TRAINING_PART,
    UNSEEN_PART,
    Atlas,
    training_distances,
)
from ser_core.interpret.embeddings import RAW_FEATURES, raw_features
from ser_core.interpret.projection import Projection, ProjectionConfig
from ser_core.models import SERModel, checkpoint_folder, checkpoint_name, load_model, training_record

CHUNK_CLIPS = 1000  # an interruption loses at most these

ClipProgress = Callable[[int, int], None]
"""Called with the numbers of clips embedded and of all clips: at the start, and after each chunk."""

MapProgress = Callable[[ProjectionConfig, float], None]
"""Called with a map and the share of it that is done."""


@dataclass(frozen=True, eq=False)
class ClipEmbeddings:
    """Embeddings and predictions of clips."""

    windows: np.ndarray  # embeddings of the windows of all clips, (n_all_windows, embedding_dim)
    n_windows: np.ndarray  # of each clip, (n_clips,)
    probabilities: np.ndarray  # calibrated, (n_clips, n_classes); raw features have no classes

    @classmethod
    def concatenate(cls, parts: Sequence["ClipEmbeddings"]) -> "ClipEmbeddings":
        return cls(*(np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])))

    @property
    def predicted(self) -> np.ndarray:
        """Class index of each clip or NO_PREDICTION, shape = (n_clips,)."""
        if not self.probabilities.shape[1]:
            return np.full(len(self.n_windows), NO_PREDICTION)
        return self.probabilities.argmax(1)

    @property
    def confidence(self) -> np.ndarray:
        """Probability of the predicted class of each clip, NaN without a prediction; shape = (n_clips,)."""
        if not self.probabilities.shape[1]:
            return np.full(len(self.n_windows), np.nan)
        return self.probabilities.max(1)


ClipEncoder = Callable[[Sequence[np.ndarray]], ClipEmbeddings]
"""From trimmed clips, each of shape (n_samples,)."""


def export_atlas(
    name: str,
    store: AudioStore,
    progress: ClipProgress = lambda n_done, n_clips: None,
    further_ids: Sequence[str] = (),
) -> Atlas:
    """The atlas of one model or of the raw features, without maps.

    Args:
        name: of a checkpoint, its folder, or RAW_FEATURES.
        store: the recordings; the embeddings of an interrupted export are kept in its cache folder.
        progress: see ClipProgress.
        further_ids: utterances outside the protocols, which are in the store.

    Raises:
        CheckpointError: the model cannot be loaded.
        ProtocolError: the model was trained on speakers of its test part.
        ValueError: no recordings.
    """
    known = (row["utterance"] for row in read_protocol(SPEAKER_INDEPENDENT) if row["utterance"] in store)
    ids = sorted({*known, *further_ids})
    if not ids:
        raise ValueError(
            f"No recording of the corpora is decoded in {audio_cache_folder()}. Set SER_CORPORA to their folder "
            "and run: python -m scripts.prepare_corpora"
        )
    version, key, encode, split = _encoder(name)
    path = audio_cache_folder() / f"windows-{atlas_name(name)}-{key}.npz"
    found = _embed_resumably(path, encode, ids, store, progress)
    means = mean_over_windows(found.windows, found.n_windows)
    embeddings = means.astype(np.float16).astype(np.float32)  # as Atlas.save stores them
    part = _part_index(ids, split)
    training = embeddings[part == ATLAS_PARTS.index(TRAINING_PART)]
    return Atlas(
        model=atlas_name(name),
        version=version,
        ids=np.array(ids),
        embeddings=embeddings,
        distances=training_distances(training, found.windows, found.n_windows),
        predicted=found.predicted,
        confidence=found.confidence,
        part=part,
    )


def add_maps(
    atlas: Atlas, configs: Iterable[ProjectionConfig], progress: MapProgress = lambda config, share: None
) -> Atlas:
    """The atlas with one more map for each config.

    Raises:
        ValueError: see ProjectionConfig.check.
    """
    for config in configs:
        made = Projection.fit(config, atlas.embeddings, partial(progress, config))
        atlas = atlas.with_map(config, made.coordinates)
    return atlas


def atlas_name(name: str) -> str:
    """Name of the atlas of a checkpoint: that of the checkpoint; a-epoch-8 for the folder runs/a/epochs/8."""
    path = Path(name)
    if path.parent.name == "epochs":
        return f"{path.parent.parent.name}-epoch-{path.name}"
    return checkpoint_name(path)


def _encoder(name: str) -> tuple[str, str, ClipEncoder, ProtocolSplit]:
    """Version of a model, key of its kept outputs, its encoder of clips, and the split that it was trained under."""
    if name == RAW_FEATURES:
        return "", "", _encode_raw, ProtocolSplit((), (), ())
    model = load_model(name)
    key = f"{model.version}-{zlib.crc32(repr(model.calibration).encode()):08x}"  # the outputs hold probabilities
    return model.version, key, lambda clips: _encode(model, clips), _training_split(name, model)


def _encode(model: SERModel, clips: Sequence[np.ndarray]) -> ClipEmbeddings:
    cut = [clip_windows(model, clip) for clip in clips]
    n_windows = np.array([len(windows) for windows in cut])
    outputs = run_windows(model, [window for windows in cut for window in windows])
    logits = outputs.average_by_clip(n_windows).logits
    return ClipEmbeddings(outputs.embeddings, n_windows, calibrated_probabilities(model, logits))


def _encode_raw(clips: Sequence[np.ndarray]) -> ClipEmbeddings:
    """The raw features of clips, each as one window."""
    return ClipEmbeddings(raw_features(clips), np.ones(len(clips), int), np.zeros((len(clips), 0)))


def _training_split(name: str, model: SERModel) -> ProtocolSplit:
    """The split of the model's evaluation or, before one, of its training."""
    trained_under = model.metrics or training_record(checkpoint_folder(name))
    return protocol_split(*unseen_speaker_fold(model.name, trained_under))


def _part_index(ids: Sequence[str], split: ProtocolSplit) -> np.ndarray:
    """Part of each clip as an index into ATLAS_PARTS, shape = (n_clips,)."""
    known = dict.fromkeys(split.train, TRAINING_PART) | dict.fromkeys(split.dev, DEVELOPMENT_PART)
    return np.array([ATLAS_PARTS.index(known.get(i, UNSEEN_PART)) for i in ids])


def _embed_resumably(
    path: Path, encode: ClipEncoder, ids: Sequence[str], store: AudioStore, progress: ClipProgress
) -> ClipEmbeddings:
    """Embeddings of all clips; the file at the path holds those that are done."""
    parts = _read_partial(path, ids)
    n_done = sum(len(part.n_windows) for part in parts)
    progress(n_done, len(ids))
    for first in range(n_done, len(ids), CHUNK_CLIPS):
        chunk = ids[first : first + CHUNK_CLIPS]
        parts.append(encode([store.trimmed(i) for i in chunk]))
        _write_partial(path, ids, ClipEmbeddings.concatenate(parts))
        progress(first + len(chunk), len(ids))
    return ClipEmbeddings.concatenate(parts)


def _read_partial(path: Path, ids: Sequence[str]) -> list[ClipEmbeddings]:
    """The embeddings that an earlier export has made of the first of these clips; empty without any."""
    if not path.is_file():
        return []
    with np.load(path) as file:
        known = file["ids"].tolist()
        if known != list(ids[: len(known)]):
            return []
        return [ClipEmbeddings(file["windows"], file["n_windows"], file["probabilities"])]


def _write_partial(path: Path, ids: Sequence[str], done: ClipEmbeddings) -> None:
    with paths.atomic_file(path, "wb") as file:
        np.savez(
            file,
            ids=ids[: len(done.n_windows)],
            windows=done.windows,
            n_windows=done.n_windows,
            probabilities=done.probabilities,
        )
