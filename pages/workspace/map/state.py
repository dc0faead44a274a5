"""State of the view "Map": spaces, projections, and what is chosen in two maps."""

from dataclasses import dataclass, field

import streamlit as st

from pages.ui.analysis import ModelResult, model_result, prepare_clip
from pages.ui.model_picker import get_model
from pages.ui.session import PageState, SessionClip, session
from pages.ui.voice.personal import personal_model
from pages.workspace import clip_bar
from ser_core import paths
from ser_core.inference import SpeakerReferenceError
from ser_core.interpret import (
    RAW_FEATURES,
    Atlas,
    MapQuality,
    Projection,
    ProjectionConfig,
    available_atlases,
    load_atlas,
    map_quality,
)
from ser_core.models import AdapterError, CheckpointError, available_models


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


def answer(clip: SessionClip, name: str) -> ModelResult | None:
    """The result that the other views show for the clip; None for raw features, or where the model cannot be used."""
    if name not in available_models():
        return None
    settings = clip_bar.settings()
    adapted = settings.my_voice and settings.model == name
    try:
        return model_result(prepare_clip(clip, settings), personal_model(name, adapted, clip))
    except (AdapterError, CheckpointError, SpeakerReferenceError):
        return None


@dataclass
class MapState(PageState):
    """Maps computed in this session, and the selection that two maps share."""

    made: set[tuple] = field(default_factory=set)
    linked: list[str] = field(default_factory=list)  # ids of the clips selected in one of two maps
