"""The parts of the page "Embedding map"."""

import io
from dataclasses import dataclass

import numpy as np
import streamlit as st

from pages import _map
from pages._chart import chart
from pages._clip_table import download_rows, show_clips
from pages._map import Placed
from pages._shared import Clip
from pages._voice import show_voice
from pages._words import plain
from ser_core.atlas import Atlas
from ser_core.corpora import CORPUS_NAMES
from ser_core.embeddings import RAW
from ser_core.labels import EMOTIONS
from ser_core.map_figures import OwnClip, mix, scatter, shaded, with_cores
from ser_core.plots import named
from ser_core.projection import Projection, ProjectionConfig

KINDS = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}
COLOURS = {
    "emotion": "emotion meant",
    "answered": "emotion answered",
    "right": "right or wrong",
    "certainty": "certainty",
    "corpus": "corpus",
    "part": "training or unseen",
    "sex": "sex",
    "intensity": "intensity",
    "speaker": "speaker",
}
WITHOUT_ANSWERS = ("answered", "right", "certainty", "part")  # cannot colour raw features
NOTHING = "nothing"


@dataclass(frozen=True)
class View:
    """What is shown, and how."""

    space: str
    beside: str | None  # a second space
    config: ProjectionConfig
    colour: str  # a key of COLOURS
    emotions: tuple[str, ...]  # empty: all
    corpora: tuple[str, ...]
    wanted: str  # a part of a clip's name
    cores: bool


def choose_view(spaces: list[str]) -> View:
    """The controls."""
    space = st.selectbox("Space", spaces, key="space", bind="query-params", help=SPACE_HELP)
    kind = st.segmented_control("Map", KINDS, format_func=KINDS.get, default="umap", key="map", bind="query-params")
    n_dims = 3 if st.toggle("3-D", key="map-3d") else 2
    known = [name for name in COLOURS if space != RAW or name not in WITHOUT_ANSWERS]
    colour = st.selectbox("Colour", known, format_func=COLOURS.get, key="colour", bind="query-params")
    emotions = st.multiselect("Emotions", EMOTIONS, format_func=named, key="map-emotions", placeholder="all", wrap=True)
    corpora = st.multiselect(
        "Corpora", CORPUS_NAMES, format_func=CORPUS_NAMES.get, key="map-corpora", placeholder="all", wrap=True
    )
    wanted = st.text_input("Find", key="map-find", placeholder="1001, OAF, Actor 03 ...", help=FIND_HELP)
    cores = n_dims == 2 and st.toggle("Centres and contours", key="map-cores", help="Half of the clips of an emotion.")
    others = [name for name in spaces if name != space]
    beside = st.selectbox("Beside it", [NOTHING, *others], key="beside") if others else NOTHING
    config = _choose_config(kind or "umap", n_dims)
    return View(
        space, beside if beside != NOTHING else None, config, colour, tuple(emotions), tuple(corpora), wanted, cores
    )


SPACE_HELP = (
    "The space in which a model compares clips: what comes before its last layer. The raw features are what goes in: "
    "mean and spread of each frequency band."
)
FIND_HELP = "A part of the name of a clip or of a speaker. What does not fit turns grey."


def _choose_config(kind: str, n_dims: int) -> ProjectionConfig:
    """How the map is made; the values that ship are stored, others are computed."""
    plain_config = ProjectionConfig(kind, n_dims)
    if kind == "pca":
        return plain_config
    with st.expander("How the map is made"):
        seed = st.number_input("Seed", 0, 999, 0, key="map-seed")
        if kind == "tsne":
            perplexity = st.slider("Perplexity", 5, 100, 30, 5, key="perplexity")
            return ProjectionConfig(kind, n_dims, perplexity=float(perplexity), seed=seed)
        n_neighbours = st.slider("Neighbours", 5, 100, 30, 5, key="n-neighbours")
        min_dist = st.slider("Least distance", 0.0, 0.9, 0.1, 0.1, key="min-dist")
        return ProjectionConfig(kind, n_dims, n_neighbours=n_neighbours, min_dist=min_dist, seed=seed)


def show_empty() -> None:
    st.info(
        "`python -m scripts.export_embeddings prosonet resonet raw-features`, after "
        "`python -m scripts.prepare_corpora` with the recordings in `SER_CORPORA`.",
        title="No embeddings are here",
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
    """What each point says."""
    heard = [
        f", heard {answered} {certain:.0%}" if answered else ""
        for answered, certain in zip(found.column("answered"), found.certainty.tolist(), strict=True)
    ]
    meant = found.column("emotion")
    return np.array([f"{i}<br>meant {m}{h}" for i, m, h in zip(found.ids.tolist(), meant, heard, strict=True)])


def show_map(
    found: Atlas, made: Projection, view: View, shown: np.ndarray, own: list[OwnClip], place: str
) -> np.ndarray:
    """Draws it; the rows of the atlas that were chosen with lasso, box or click.

    Args:
        place: a name for this chart on the page.
    """
    colour = view.colour if found.model != RAW or view.colour not in WITHOUT_ANSWERS else "emotion"
    if colour == "certainty":
        figure = shaded(made.coordinates, found.certainty, shown, texts(found), own)
    else:
        figure = scatter(made.coordinates, found.column(colour), shown, texts(found), own)
    if view.cores and made.config.n_dims == 2:
        figure = with_cores(figure, made.coordinates, found.column("emotion"), shown)
    event = chart(
        figure,
        key=f"map-{place}",
        numbers=False,
        tools=True,
        on_select="rerun",
        selection_mode=("points", "box", "lasso"),
        alt=f"{KINDS[made.config.kind]} of {len(found.ids)} clips in the space of {found.model}, by "
        f"{COLOURS[colour]}. Choose clips with lasso or box, or find them by name; the table below lists them.",
    )
    points = event.selection.points if event else []
    return np.unique([_row(point) for point in points if _row(point) is not None]).astype(int)


def _row(point: dict) -> int | None:
    """The person's own points carry no row."""
    row = point.get("customdata")
    row = row[0] if isinstance(row, list) and row else row
    return int(row) if isinstance(row, (int, float)) else None


def show_quality(found: Atlas, made: Projection) -> None:
    """How far the picture can be trusted."""
    measured = _map.quality(f"{found.model} {found.version}", made.config, found, made)
    with st.container(horizontal=True, gap="medium"):
        for label, value, words in (
            ("Trustworthiness", measured.trustworthiness, "Neighbours on the map are neighbours in the space."),
            ("Continuity", measured.continuity, "Neighbours in the space are neighbours on the map."),
            ("Same emotion, map", measured.purity_map, "How many of the 15 nearest on the map share the emotion."),
            ("Same emotion, space", measured.purity_embedding, "The same among the 15 nearest in the space itself."),
        ):
            st.metric(label, f"{value:.0%}", help=words, width="content")


def show_chosen(found: Atlas, rows: np.ndarray) -> None:
    """What is in the selection: how much of which emotion, what was taken for what, and every clip."""
    if not len(rows):
        st.caption("Draw a lasso or a box around points, or click one, to see what they are.")
        return
    st.subheader(f"{len(rows)} chosen clips" if len(rows) > 1 else "The chosen clip", anchor=False)
    meant = found.column("emotion")[rows]
    counts = {emotion: int((meant == emotion).sum()) for emotion in EMOTIONS if (meant == emotion).any()}
    if len(rows) > 1:
        chart(mix(counts), key="map-mix", alt="; ".join(f"{name}: {n}" for name, n in counts.items()))
    right = found.column("right")[rows]
    if (right != "").any():
        st.caption(f"{(right == 'right').sum()} of {len(rows)} are answered right by {plain(found.model)}.")
    show_clips(clip_rows(found, rows), f"map_{found.model}_clips.csv")


def clip_rows(found: Atlas, rows: np.ndarray) -> list[dict]:
    """One line for each clip."""
    answered, part = found.column("answered"), found.column("part")
    lines = []
    for i in rows.tolist():
        u = found.utterances[i]
        line = {"clip": u.id, "corpus": CORPUS_NAMES[u.corpus], "speaker": u.speaker.split("-")[1], "meant": u.emotion}
        if answered[i]:
            line |= {"answered": str(answered[i]), "certain": float(found.certainty[i]), "was": str(part[i])}
        lines.append(line)
    return lines


def show_own(found: Atlas, own: Placed) -> None:
    """The person's clip among the others: its true neighbours, and how far out it lies."""
    st.subheader("Your clip", anchor=False)
    far = _map.how_far_out(found, own)
    if far is not None:
        st.markdown(
            f"**{plain(own.name)}** lies further from what the model learned from than **{far:.0f} %** of the clips of "
            "people it has never heard."
        )
    index, distance = _map.nearest(found, own)
    st.caption(
        f"Its {len(index)} nearest clips in the space itself, which the lines lead to. A map bends distances: these "
        "are the true ones."
    )
    lines = zip(clip_rows(found, index), distance.tolist(), strict=True)
    show_clips([line | {"distance": round(far_off, 2)} for line, far_off in lines], "neighbours.csv")
    kept = _map.takes(found.model)
    with st.container(horizontal=True):
        if all(take is not own for take in kept):
            st.button("Keep this take on the map", on_click=_map.keep, args=(own, found.model), key="keep-take")
        if kept:
            st.button(f"Remove {len(kept)} takes", on_click=_map.drop_takes, key="drop-takes")


def show_export(found: Atlas, made: Projection, shown: np.ndarray) -> None:
    """All clips that are not grey, with their places on the map."""
    rows = np.flatnonzero(shown)
    names = "xyz"[: made.config.n_dims]
    lines = [
        line | dict(zip(names, made.coordinates[i].round(4).tolist(), strict=True))
        for line, i in zip(clip_rows(found, rows), rows, strict=True)
    ]
    name = f"map_{found.model}_{made.config.kind}"
    with st.container(horizontal=True):
        download_rows("Download the map as CSV", lines, f"{name}.csv")
        if lines:
            label, mime = "Download the map as parquet", "application/vnd.apache.parquet"
            st.download_button(
                label, lambda: as_parquet(lines), f"{name}.parquet", mime, icon=":material/download:", on_click="ignore"
            )


def as_parquet(rows: list[dict]) -> bytes:
    """A table that viewers of embeddings open."""
    import pyarrow
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    return file.getvalue()


def draw(name: str, view: View, clip: Clip | None, selected: dict[str, set[str]]) -> tuple[Atlas, Projection]:
    """One space with everything that lies in it; adds what was chosen there to `selected`.

    Raises:
        AtlasError, CheckpointError: it cannot be shown.
        ValueError: the map cannot be made like this.
    """
    found = _map.read(name)
    made = _map.projection(found, view.config)
    own = [*_map.takes(name), *([_map.embed(clip, name)] if clip else [])]
    placed = [_map.place(made, found, one, f"{name} {found.version}") for one in own]
    shown = visible(found, view)
    if view.beside:
        st.markdown(f"**{plain(name)}**")
    for ids in selected.values():  # what was chosen in the first map stands out in the second
        shown = shown & np.isin(found.ids, list(ids)) if ids else shown
    rows = show_map(found, made, view, shown, placed, name)
    selected[name] = set(found.ids[rows].tolist())
    show_quality(found, made)
    return found, made


def show_details(found: Atlas, made: Projection, view: View, selected: dict[str, set[str]]) -> None:
    """Below the maps: what was chosen, the person's clip, the export."""
    ids = set().union(*selected.values())
    show_chosen(found, np.flatnonzero(np.isin(found.ids, list(ids))))
    clip = st.session_state.get("clip")
    if clip:
        own = _map.embed(clip, found.model)
        show_own(found, own)
        show_voice(found.model, clip.id, own)
    show_export(found, made, visible(found, view))
