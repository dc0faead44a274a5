"""The view "Map": the embedding space of a model with all corpus clips, the clip of the session among them."""

from dataclasses import astuple, dataclass
from functools import partial

import numpy as np
import streamlit as st
from plotly.graph_objects import Figure

from pages.ui.chart import chart
from pages.ui.problems import show_problem
from pages.ui.session import SessionClip, session
from pages.ui.text import plain
from pages.workspace.map import state
from pages.workspace.map.export import image_format, show_export
from pages.workspace.map.selection import chosen_rows, show_chosen, show_own
from pages.workspace.map.voice import show_voice
from ser_core.data import CORPUS_NAMES
from ser_core.interpret import RAW_FEATURES, Atlas, AtlasError, Projection, ProjectionConfig
from ser_core.labels import EMOTIONS
from ser_core.models import CheckpointError
from ser_core.plots import (
    MAX_DRAWN_POINTS,
    UserClip,
    add_density_contours,
    add_user_clips,
    embedding_scatter,
    embedding_scatter_by_value,
    emotion_label,
)

KINDS = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}
COLOURS = {
    "emotion": "label",
    "answered": "predicted emotion",
    "right": "right or wrong",
    "certainty": "confidence",
    "corpus": "corpus",
    "part": "training or unseen",
    "sex": "sex",
    "intensity": "intensity",
    "speaker": "speaker",
}
PREDICTION_COLOURS = ("answered", "right", "certainty", "part")  # cannot colour raw features
NOTHING = "nothing"
WIDTH = 150  # pixels of a control: two fit side by side on a telephone


@dataclass(frozen=True)
class View:
    """What is shown, and how."""

    space: str
    second_space: str | None  # a second space
    config: ProjectionConfig
    colour: str  # a key of COLOURS
    emotions: tuple[str, ...]  # empty: all
    corpora: tuple[str, ...]
    wanted: str  # a part of a clip's name
    cores: bool


def choose_view(spaces: list[str]) -> View:
    """The controls, in a row."""
    space = st.selectbox("Space", spaces, key="space", bind="query-params", help=SPACE_HELP, width=WIDTH)
    known = [name for name in COLOURS if space != RAW_FEATURES or name not in PREDICTION_COLOURS]
    colour = st.selectbox("Colour", known, format_func=COLOURS.get, key="colour", bind="query-params", width=WIDTH)
    kind = st.segmented_control("Map", KINDS, format_func=KINDS.get, default="umap", key="map", bind="query-params")
    with st.popover("More", icon=":material/tune:"):
        others = [NOTHING, *(name for name in spaces if name != space)]
        second_space = st.selectbox("Second space", others, key="second-space") if len(others) > 1 else NOTHING
        n_dims = 3 if st.toggle("3-D", key="map-3d") else 2
        cores = n_dims == 2 and st.toggle("Centres and contours", key="map-cores", help=CORES_HELP)
        config = _choose_config(kind or "umap", n_dims)
    with st.popover("Filter", icon=":material/filter_alt:"):
        emotions = st.multiselect(
            "Emotions", EMOTIONS, format_func=emotion_label, key="map-emotions", placeholder="all"
        )
        corpora = st.multiselect(
            "Corpora", CORPUS_NAMES, format_func=CORPUS_NAMES.get, key="map-corpora", placeholder="all"
        )
        wanted = st.text_input("Find", key="map-find", placeholder="1001, ravdess-03, tess-OAF ...", help=FIND_HELP)
    return View(
        space,
        None if second_space == NOTHING else second_space,
        config,
        colour,
        tuple(emotions),
        tuple(corpora),
        wanted,
        cores,
    )


SPACE_HELP = (
    "Embedding space of a model: the output before its last layer. Raw features are its input: "
    "mean and standard deviation of each mel band."
)
FIND_HELP = "Part of a clip or speaker name. Clips that do not match turn grey."


CORES_HELP = "Centre of each emotion, and the smallest region with half of its clips."


def _choose_config(kind: str, n_dims: int) -> ProjectionConfig:
    """How the map is made; the values that ship are stored, others are computed."""
    plain_config = ProjectionConfig(kind, n_dims)
    if kind == "pca":
        return plain_config
    seed = st.number_input("Seed", 0, 999, 0, key="map-seed")
    if kind == "tsne":
        perplexity = st.slider("Perplexity", 5, 100, 30, 5, key="perplexity")
        return ProjectionConfig(kind, n_dims, perplexity=float(perplexity), seed=seed)
    n_neighbours = st.slider("Neighbours", 5, 100, 30, 5, key="n-neighbours")
    min_dist = st.slider("Minimum distance", 0.0, 0.9, 0.1, 0.1, key="min-dist")
    return ProjectionConfig(kind, n_dims, n_neighbours=n_neighbours, min_dist=min_dist, seed=seed)


def show_empty() -> None:
    st.info(
        "`python -m scripts.export_embeddings prosonet resonet raw-features`, after "
        "`python -m scripts.prepare_corpora` with the recordings in `SER_CORPORA`.",
        title="No embeddings yet",
    )


def visible(found: Atlas, view: View) -> np.ndarray:
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


def texts(found: Atlas) -> np.ndarray:
    """The text of each point."""
    predicted = [
        f", predicted {predicted} {certain:.0%}" if predicted else ""
        for predicted, certain in zip(found.column("answered"), found.certainty.tolist(), strict=True)
    ]
    labels = found.column("emotion")
    return np.array([f"{i}<br>label {m}{h}" for i, m, h in zip(found.ids.tolist(), labels, predicted, strict=True)])


@st.cache_resource(max_entries=8, show_spinner=False)
def _figure(key: tuple, colour: str, cores: bool, shown: bytes, _found: Atlas, _made: Projection) -> Figure:
    """The clips of the corpora on a map, the same for everybody: never changed, only added to.

    Args:
        key: names the map.
        shown: a mask, as bytes.
    """
    places, mask = _made.coordinates, np.frombuffer(shown, bool)
    if colour == "certainty":
        figure = embedding_scatter_by_value(places, _found.certainty, mask, texts(_found))
    else:
        figure = embedding_scatter(places, _found.column(colour), mask, texts(_found))
    return add_density_contours(figure, places, _found.column("emotion"), mask) if cores else figure


def show_map(
    found: Atlas, made: Projection, view: View, shown: np.ndarray, own: list[UserClip], place: str
) -> np.ndarray:
    """Draws it; the rows of the atlas that were chosen with lasso, box or click.

    Args:
        place: a name for this chart on the page.

    Lasso and box hold the clips in them that are not grey, also those that are not drawn; a click holds any. What is
    chosen in one of two maps stands out in both.
    """
    colour = view.colour if found.model != RAW_FEATURES or view.colour not in PREDICTION_COLOURS else "emotion"
    linked = np.isin(found.ids, session().page(state.MapState).linked) & bool(view.second_space)
    bright = shown & linked if linked.any() else shown
    figure = _figure(state.map_key(found, made.config), colour, view.cores, bright.tobytes(), found, made)
    key = "-".join(map(str, ("map", place, *astuple(made.config), image_format())))  # a choice is of one map
    event = chart(
        add_user_clips(figure, own) if own else figure,
        key=key,
        numbers=False,
        tools=True,
        image_format=image_format(),
        on_select=partial(_link, key, found, made.coordinates, shown) if view.second_space else "rerun",
        selection_mode=("points", "box", "lasso"),
        alt=f"{KINDS[made.config.kind]} of {len(found.ids)} clips in the space of {found.model}, by "
        f"{COLOURS[colour]}. Choose clips with click, lasso or box, or by the filter; the table below lists them.",
    )
    if len(shown) > MAX_DRAWN_POINTS:
        st.caption(
            f"{MAX_DRAWN_POINTS:,} of {len(shown):,} clips are drawn, a random subset with grey ones last, for speed. "
            "Lasso, box, contours, figures and downloads take all of them."
        )
    return np.flatnonzero(linked) if view.second_space else chosen_rows(event.selection, made.coordinates, shown)


def _link(key: str, found: Atlas, coordinates: np.ndarray, shown: np.ndarray) -> None:
    """What was chosen last is what is chosen."""
    rows = chosen_rows(st.session_state[key]["selection"], coordinates, shown)
    session().page(state.MapState).linked = found.ids[rows].tolist()


def _unlink() -> None:
    session().page(state.MapState).linked = []


def show_quality(found: Atlas, made: Projection) -> None:
    """Quality of the projection."""
    try:
        measured = state.quality(state.map_key(found, made.config), found, made)
    except ValueError as error:
        st.caption(plain(str(error)))
        return
    with st.container(horizontal=True, gap="medium"):
        for label, value, words in (
            ("Trustworthiness", measured.trustworthiness, "Neighbours on the map are neighbours in the space."),
            ("Continuity", measured.continuity, "Neighbours in the space are neighbours on the map."),
            ("Same emotion, map", measured.purity_map, "How many of the 15 nearest on the map share the emotion."),
            ("Same emotion, space", measured.purity_embedding, "The same among the 15 nearest in the space itself."),
        ):
            st.metric(label, f"{value:.0%}", help=words, width="content")


def draw(clip: SessionClip | None) -> None:
    spaces = state.available_spaces()
    if not spaces:
        show_empty()
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view = choose_view(spaces)
    shown_spaces = [view.space, *([view.second_space] if view.second_space else [])]
    columns, selected, drawn = st.columns(len(shown_spaces)), {}, {}
    for name, column in zip(shown_spaces, columns, strict=True):
        with column:
            try:
                drawn[name] = draw_space(name, view, clip, selected)
            except (AtlasError, CheckpointError, ValueError) as error:
                show_problem(error)
    if view.space in drawn:
        show_details(*drawn[view.space], view, selected)


def draw_space(
    name: str, view: View, clip: SessionClip | None, selected: dict[str, set[str]]
) -> tuple[Atlas, Projection]:
    """One space with everything in it; adds what was chosen there to `selected`.

    Raises:
        AtlasError, CheckpointError: it cannot be shown.
        ValueError: the map cannot be made like this.
    """
    found = state.read(name)
    made = state.projection(found, view.config)
    placed = [state.place(made, found, own, f"{name} {found.version}") for own in state.all_placed(clip, name)]
    if view.second_space:
        st.markdown(f"**{plain(name)}**")
    rows = show_map(found, made, view, visible(found, view), placed, name)
    selected[name] = set(found.ids[rows].tolist())
    show_quality(found, made)
    return found, made


def show_details(found: Atlas, made: Projection, view: View, selected: dict[str, set[str]]) -> None:
    """Below the maps: what was chosen, on a map or else by the filters, the person's clip, the export."""
    ids, shown = set().union(*selected.values()), visible(found, view)
    if view.second_space and ids:
        st.button("Deselect all", on_click=_unlink, icon=":material/deselect:", key="unlink")
    show_chosen(found, np.flatnonzero(np.isin(found.ids, list(ids)) if ids else shown & ~shown.all()))
    clip = session().clip
    if clip:
        own = state.embed(clip, found.model)
        if own is None:
            st.caption(f"The model {plain(found.model)} is not here: your clip cannot be placed in its space.")
        else:
            show_own(found, clip, own)
            show_voice(found.model, clip.id, own)
    show_export(found, made, shown)
