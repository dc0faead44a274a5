"""What the map shows, and how: space, projection, colour, filters."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from ser_core.data import CORPUS_NAMES
from ser_core.interpret import RAW_FEATURES, UMAP_INSTALL_HINT, Atlas, ProjectionConfig, can_fit_umap
from ser_core.labels import EMOTIONS
from ser_core.plots import emotion_label

KINDS = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}
COLOURS = {
    "emotion": "label",
    "predicted": "predicted emotion",
    "right": "right or wrong",
    "confidence": "confidence",
    "corpus": "corpus",
    "part": "training or unseen",
    "sex": "sex",
    "intensity": "intensity",
    "speaker": "speaker",
}
PREDICTION_COLOURS = ("predicted", "right", "confidence", "part")  # cannot colour raw features
NOTHING = "nothing"
WIDTH = 150  # pixels of a control: two fit side by side on a telephone


@dataclass(frozen=True)
class MapView:
    """What is shown, and how."""

    space: str
    second_space: str | None  # a second space
    config: ProjectionConfig
    colour: str  # a key of COLOURS
    emotions: tuple[str, ...]  # empty: all
    corpora: tuple[str, ...]
    wanted: str  # a part of a clip's name
    cores: bool


def choose_view(spaces: list[str]) -> MapView:
    """The controls, in a row."""
    space = st.selectbox("Space", spaces, key="space", bind="query-params", help=SPACE_HELP, width=WIDTH)
    known = [name for name in COLOURS if space != RAW_FEATURES or name not in PREDICTION_COLOURS]
    colour = st.selectbox("Colour", known, format_func=COLOURS.get, key="colour", bind="query-params", width=WIDTH)
    kind = st.segmented_control(
        "Map", KINDS, format_func=KINDS.get, default="umap", key="map", bind="query-params", help=MAP_HELP
    )
    with st.popover("More", icon=":material/tune:"):
        others = [NOTHING, *(name for name in spaces if name != space)]
        second_space = st.selectbox("Second space", others, key="second-space") if len(others) > 1 else NOTHING
        n_dims = 3 if st.toggle("3-D", key="map-3d") else 2
        cores = n_dims == 2 and st.toggle("Centres and contours", key="map-cores", help=CORES_HELP)
        config = _choose_config(kind or "umap", n_dims)
    with st.popover("Filter", icon=":material/filter_alt:"):
        emotions, corpora, wanted = _choose_filter()
    second = None if second_space == NOTHING else second_space
    return MapView(space, second, config, colour, emotions, corpora, wanted, cores)


def _choose_filter() -> tuple[tuple[str, ...], tuple[str, ...], str]:
    """(emotions, corpora, part of a name); empty: all."""
    emotions = st.multiselect("Emotions", EMOTIONS, format_func=emotion_label, key="map-emotions", placeholder="all")
    corpora = st.multiselect(
        "Corpora", CORPUS_NAMES, format_func=CORPUS_NAMES.get, key="map-corpora", placeholder="all"
    )
    wanted = st.text_input("Find", key="map-find", placeholder="1001, ravdess-03, tess-OAF ...", help=FIND_HELP)
    return tuple(emotions), tuple(corpora), wanted


SPACE_HELP = (
    "Embedding space of a model: the output before its last layer. Raw features are its input: "
    "mean and standard deviation of each mel band."
)
MAP_HELP = (
    "UMAP and t-SNE keep neighbours together; distances between groups and the size of a group mean little. "
    "PCA shows the directions of the greatest variance, and keeps distances as far as these hold them."
)
FIND_HELP = "Part of a clip or speaker name. Clips that do not match turn grey."


CORES_HELP = "Centre of each emotion, and the smallest region with half of its clips."


def _choose_config(kind: str, n_dims: int) -> ProjectionConfig:
    """How the map is made; the values that ship are stored, others are computed."""
    plain_config = ProjectionConfig(kind, n_dims)
    if kind == "pca":
        return plain_config
    if kind == "umap" and not can_fit_umap():
        st.caption(UMAP_INSTALL_HINT)
        return plain_config
    seed = st.number_input("Seed", 0, 999, 0, key="map-seed")
    if kind == "tsne":
        perplexity = st.slider("Perplexity", 5, 100, 30, 5, key="perplexity")
        return ProjectionConfig(kind, n_dims, perplexity=float(perplexity), seed=seed)
    n_neighbours = st.slider("Neighbours", 5, 100, 30, 5, key="n-neighbours")
    min_dist = st.slider("Minimum distance", 0.0, 0.9, 0.1, 0.1, key="min-dist")
    return ProjectionConfig(kind, n_dims, n_neighbours=n_neighbours, min_dist=min_dist, seed=seed)


def visible(found: Atlas, view: MapView) -> np.ndarray:
    """Which clips are not grey, bool, shape = (n,)."""
    shown = np.ones(len(found.ids), bool)
    if view.emotions:
        shown &= np.isin(found.column("emotion"), view.emotions)
    if view.corpora:
        shown &= np.isin(found.column("corpus"), view.corpora)
    if wanted := view.wanted.strip().lower():
        names = zip(found.ids.tolist(), found.column("speaker").tolist(), strict=True)
        shown &= np.array([wanted in f"{clip} {speaker}".lower() for clip, speaker in names])
    return shown
