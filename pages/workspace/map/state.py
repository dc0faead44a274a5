"""State of the view "Map": atlases, projections, and the clip placed among them."""

from dataclasses import dataclass, field, replace
from pathlib import PurePath

import numpy as np
import streamlit as st

from pages.ui.analysis import ModelResult, model_result, prepare_clip
from pages.ui.model_picker import get_model
from pages.ui.session import PageState, SessionClip, remember, session
from pages.ui.voice.personal import personal_model
from pages.workspace import clip_bar
from ser_core import paths
from ser_core.audio import speech_segments, trim_silence
from ser_core.inference import SpeakerReferenceError
from ser_core.interpret import (
    RAW_FEATURES,
    Atlas,
    MapQuality,
    Projection,
    ProjectionConfig,
    available_atlases,
    embed_windows,
    load_atlas,
    map_quality,
    nearest_neighbours,
    raw_features,
)
from ser_core.models import AdapterError, CheckpointError, available_models
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


def available_spaces() -> list[str]:
    """The spaces that can be shown: models in the order of the other pages, the raw features last."""
    there = available_atlases()
    known = [name for name in available_models() if name in there]
    return [
        *known,
        *(name for name in there if name not in known and name != RAW_FEATURES),
        *([RAW_FEATURES] if RAW_FEATURES in there else []),
    ]


def read(name: str) -> Atlas:
    """The embeddings of a model.

    Raises:
        AtlasError: the file is missing, damaged, or of another version of the model.
    """
    path = paths.EMBEDDINGS / f"{name}.npz"
    return _read(name, _version(name), path.stat().st_mtime_ns if path.is_file() else 0)


@st.cache_resource(max_entries=4, show_spinner="Reading the embeddings")
def _read(name: str, version: str | None, modified_ns: int) -> Atlas:
    return load_atlas(name, version)


def _version(name: str) -> str | None:
    """None where the model itself is not here: its embeddings can be looked at all the same."""
    try:
        return "" if name == RAW_FEATURES else get_model(name).version
    except CheckpointError:
        return None


def map_key(found: Atlas, config: ProjectionConfig) -> tuple:
    """What names a map of these embeddings among all others."""
    return found.model, found.version, len(found.ids), config


def projection(found: Atlas, config: ProjectionConfig) -> Projection:
    """A map that the file holds, or one that is made now, with progress and a way out of it."""
    key, cancel = map_key(found, config), st.empty()
    seen = session().page(MapState).made
    if config not in found.maps and key not in seen:
        cancel.button("Cancel", on_click=_cancel, args=(found, config), key=f"cancel-{found.model}")
    made = _projection(key, config, found)
    seen.add(key)
    cancel.empty()
    return made


def _cancel(found: Atlas, config: ProjectionConfig) -> None:
    """Back to the map that the file holds, or else to the one that takes no time; the next step of the work ends it."""
    if ProjectionConfig(config.kind, config.n_dims) not in found.maps:
        st.session_state["map"] = "pca"
    st.session_state.update({"map-seed": 0, "perplexity": 30, "n-neighbours": 30, "min-dist": 0.1})


@st.cache_resource(max_entries=8, show_spinner=False)
def _projection(key: tuple, config: ProjectionConfig, _found: Atlas) -> Projection:
    if config in _found.maps:
        return _found.projection(config)
    bar = st.progress(0.0, "Making the map")
    made = Projection.fit(config, _found.embeddings, lambda share: bar.progress(min(share, 1.0), "Making the map"))
    bar.empty()
    return made


@st.cache_data(max_entries=16, show_spinner="Measuring the map")
def quality(key: tuple, _found: Atlas, _made: Projection) -> MapQuality:
    """How far the map can be trusted; the key names it.

    Raises:
        ValueError: too few points to say.
    """
    return map_quality(_found.embeddings, _made.coordinates, _found.column("emotion"), _found.column("corpus"))


def embed(clip: SessionClip, name: str) -> EmbeddedClip | None:
    """The clip of this session in the space of a model, computed once; None where the model itself is not here."""
    try:
        return remember(lambda: _embed(clip, name), clip.id, "embedding", name)
    except CheckpointError:
        return None


def _embed(clip: SessionClip, name: str) -> EmbeddedClip:
    waveform = clip.recording.waveform
    speech = speech_segments(waveform)
    if name == RAW_FEATURES:
        first, last = trim_silence(waveform)
        windows, start_s = raw_features([waveform[first:last]]), np.array([first / clip.recording.sample_rate])
    else:
        start_s, windows = embed_windows(get_model(name), waveform, speech)
    kept = np.unique(np.linspace(0, len(windows) - 1, min(MOST_WINDOWS, len(windows))).astype(int))
    return EmbeddedClip(
        clip.name, windows.mean(0), windows[kept], start_s[kept], sum(end - start for start, end in speech)
    )


def place(made: Projection, found: Atlas, own: EmbeddedClip, key: str) -> UserClip:
    """Its place on the map; the rows of its neighbours are those of `nearest`."""
    points = np.concatenate([own.embedding[None], own.windows])
    places = remember(lambda: made.place(points), own, "placed", key, made.config)  # by itself: names are shared
    return UserClip(own.name, places[0], places[1:], own.start_s, made.coordinates[nearest(found, own)[0]])


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
    neighbours = nearest_neighbours(found.embeddings, own.embedding[None], MIN_CLIPS_TO_COMPARE)
    is_same = neighbours.distance[0, 0] < SAME_RECORDING * np.median(neighbours.distance[0])
    return int(neighbours.index[0, 0]) if is_same else None


def answer(clip: SessionClip, name: str) -> ModelResult | None:
    """The result that the other views show for the clip; None for raw features, or where the model cannot be used."""
    if name not in available_models():
        return None
    settings = clip_bar.settings()
    adapted = settings.my_voice and settings.model == name
    try:
        return model_result(prepare_clip(clip, settings), personal_model(name, adapted))
    except (AdapterError, CheckpointError, SpeakerReferenceError):
        return None


@dataclass(frozen=True, eq=False)
class Take:
    """A clip that the person keeps on the map, in every space that was looked at since."""

    clip: SessionClip
    placed: dict[str, EmbeddedClip]  # by the name of the space


@dataclass(frozen=True, eq=False)
class Labelled:
    """A clip with the emotion the person intended."""

    clip_id: str
    name: str
    emotion: str
    embedding: np.ndarray  # (embedding_dim,)


@dataclass
class MapState(PageState):
    """Maps computed in this session, and the selection that two maps share."""

    made: set[tuple] = field(default_factory=set)
    linked: list[str] = field(default_factory=list)  # ids of the clips selected in one of two maps


@dataclass
class VoiceState(PageState):
    """Clips of the person: kept on the map, and labelled for speaker adaptation."""

    follows_clip = True
    takes: list[Take] = field(default_factory=list)
    labelled: dict[str, dict[str, Labelled]] = field(default_factory=dict)  # model -> clip id -> clip
    adapter_file: object = None  # uploaded by the person
    problem: str = ""

    def contents(self) -> dict[str, int]:
        n_labelled = sum(map(len, self.labelled.values()))
        return {"clips on the map": len(self.takes), "clips of “My voice”": n_labelled}

    def files(self) -> tuple[object, ...]:
        return (self.adapter_file,)


def voice_state() -> VoiceState:
    return session().page(VoiceState)


def takes() -> list[Take]:
    """Clips kept on the map in this session."""
    return voice_state().takes


def keep(clip: SessionClip) -> None:
    takes().append(Take(clip, {}))


def drop_takes() -> None:
    voice_state().takes = []


def all_placed(clip: SessionClip | None, name: str) -> list[EmbeddedClip]:
    """What the person kept, and the clip of this session if it is another one, in the space of a model."""
    kept = takes()
    try:
        for take in kept:
            if name not in take.placed:
                take.placed[name] = replace(_embed(take.clip, name), name=f"{kept.index(take) + 1}: {take.clip.name}")
    except CheckpointError:
        return []
    one = embed(clip, name) if clip and all(take.clip.id != clip.id for take in kept) else None
    return [*(take.placed[name] for take in kept), *([one] if one else [])]
