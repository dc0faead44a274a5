"""Clips of the person in the space of a model, and on its map."""

from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from pages.ui.analysis import PreparedClip, Settings, prepare_clip
from pages.ui.model_picker import get_model
from pages.ui.session import SessionClip, remember
from pages.workspace import clip_bar
from ser_core.audio import SAMPLE_RATE, speech_duration_s, trim_silence
from ser_core.interpret import (
    RAW_FEATURES,
    Atlas,
    Projection,
    embed_windows,
    nearest_neighbours,
    raw_features,
)
from ser_core.models import CheckpointError
from ser_core.plots import UserClip

N_NEIGHBOURS = 8
MIN_CLIPS_TO_COMPARE = 9
SAME_RECORDING = 0.05  # of the median distance of neighbours: the embeddings on disk are rounded
MOST_WINDOWS = 60  # of a trail; a longer recording is thinned out


@dataclass(frozen=True, eq=False)
class EmbeddedClip:
    """A clip of the person in the space of a model."""

    name: str
    embedding: np.ndarray  # (embedding_dim,)
    windows: np.ndarray  # (n_windows, embedding_dim)
    start_s: np.ndarray  # (n_windows,)
    speech_s: float  # seconds of speech in it
    recorded: np.ndarray  # (embedding_dim,), without noise reduction: by it the very recording is known on the map
    title: str = "your clip"  # in the legend of the map


def embed(clip: SessionClip, name: str) -> EmbeddedClip | None:
    """The clip of this session in the space of a model, computed once; None where the model itself is not here."""
    prepared = prepare_clip(clip, clip_bar.settings())
    try:
        return remember(lambda: embed_clip(clip, prepared, name), prepared.id, "embedding", *space(name))
    except CheckpointError:
        return None


def space(name: str) -> tuple[str, str]:
    """Name and version of a space: a model that was unloaded may have been trained again since.

    Raises:
        CheckpointError: the model is not here.
    """
    return name, "" if name == RAW_FEATURES else get_model(name).version


def embed_clip(clip: SessionClip, prepared: PreparedClip, name: str) -> EmbeddedClip:
    """A clip in the space of a model, from the sound that is analysed.

    Raises:
        CheckpointError: the model is not here.
    """
    windows, start_s = _embed(prepared, name)
    original = prepare_clip(clip, Settings(None))
    recorded = windows if original.id == prepared.id else _embed(original, name)[0]
    kept = np.unique(np.linspace(0, len(windows) - 1, min(MOST_WINDOWS, len(windows))).astype(int))
    speech_s = speech_duration_s(prepared.speech)
    return EmbeddedClip(clip.name, windows.mean(0), windows[kept], start_s[kept], speech_s, recorded.mean(0))


def _embed(prepared: PreparedClip, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The windows in the space of a model, shape = (n_windows, embedding_dim), and their starts in seconds."""
    waveform = prepared.waveform
    if name == RAW_FEATURES:
        first, last = trim_silence(waveform)
        return raw_features([waveform[first:last]]), np.array([first / SAMPLE_RATE])
    start_s, windows = embed_windows(get_model(name), waveform, prepared.speech)
    return windows, start_s


def place(made: Projection, found: Atlas, own: EmbeddedClip, key: str) -> UserClip:
    """Its place on the map; the rows of its neighbours are those of `nearest`."""
    points = np.concatenate([own.embedding[None], own.windows])
    places = remember(lambda: made.place(points), own, "placed", key, made.config)  # by itself: names are shared
    neighbours = made.coordinates[nearest(found, own)[0]]
    return UserClip(own.name, places[0], places[1:], own.start_s, neighbours, own.title)


def nearest(found: Atlas, own: EmbeddedClip) -> tuple[np.ndarray, np.ndarray]:
    """Nearest neighbours of a clip in the embedding itself: rows of the atlas and distances, the nearest first.

    The very recording of the clip is none of them.
    """
    return remember(
        lambda: nearest_to(found, own.embedding, itself(found, own)), own, "nearest", found.model, found.version
    )


def nearest_to(found: Atlas, point: np.ndarray, left_out: int | None) -> tuple[np.ndarray, np.ndarray]:
    """As nearest, of a point, shape = (embedding_dim,), with a row left out."""
    n_found = min(N_NEIGHBOURS + (left_out is not None), len(found.ids))
    neighbours = nearest_neighbours(found.embeddings, point[None], n_found)
    kept = neighbours.index[0] != (-1 if left_out is None else left_out)
    return neighbours.index[0][kept][:N_NEIGHBOURS], neighbours.distance[0][kept][:N_NEIGHBOURS]


def itself(found: Atlas, own: EmbeddedClip) -> int | None:
    """Row of the very recording of a clip, by its name or by its embedding; None where it is not on the map."""
    return remember(lambda: _find_itself(found, own), own, "itself", found.model, found.version)


def _find_itself(found: Atlas, own: EmbeddedClip) -> int | None:
    stem = PurePath(own.name).stem
    named = [i for i, clip in enumerate(found.ids.tolist()) if clip.rpartition("/")[2] == stem]
    if named or len(found.ids) < MIN_CLIPS_TO_COMPARE:
        return named[0] if named else None
    neighbours = nearest_neighbours(found.embeddings, own.recorded[None], MIN_CLIPS_TO_COMPARE)
    is_same = neighbours.distance[0, 0] < SAME_RECORDING * np.median(neighbours.distance[0])
    return int(neighbours.index[0, 0]) if is_same else None
