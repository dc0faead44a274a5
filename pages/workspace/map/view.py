"""The view "Map": the clip among all clips of the corpora, its neighbours beside the map, each with its sound."""

import numpy as np
import streamlit as st

from pages.ui.problems import show_problem
from pages.ui.session import SessionClip
from pages.ui.text import plain
from pages.workspace.map import neighbours, own_clips, panel, state, takes
from pages.workspace.map.choices import MapView, choose_view, visible
from pages.workspace.map.export import show_export
from pages.workspace.map.figure import show_card, show_map, unlink
from pages.workspace.map.own_clips import EmbeddedClip
from pages.workspace.map.selection import show_chosen, show_takes
from pages.workspace.map.voice import show_voice
from ser_core.interpret import MAP_QUALITY_NEIGHBOURS, Atlas, AtlasError, Projection
from ser_core.models import CheckpointError


def show_empty() -> None:
    st.info(
        "`python -m scripts.export_embeddings prosonet resonet raw-features`, after "
        "`python -m scripts.prepare_corpora` with the recordings in `SER_CORPORA`.",
        title="No embeddings yet",
    )


def show_quality(found: Atlas, made: Projection) -> None:
    """What the map is a map of, and how far it can be trusted."""
    try:
        measured = state.quality(state.map_key(found, made.config), found, made)
    except ValueError as error:
        st.caption(plain(str(error)))
        return
    with st.container(horizontal=True, vertical_alignment="center", key=f"map-quality-{found.model}"):
        st.caption(
            f"Of the {MAP_QUALITY_NEIGHBOURS} clips nearest to any clip in the space, on average "
            f"{measured.purity_embedding:.0%} have its emotion and {measured.same_corpus:.0%} are from its corpus.",
            width="stretch",
        )
        with st.popover("Quality of the map", type="tertiary"):
            for label, value, words in (
                ("Trustworthiness", measured.trustworthiness, "Neighbours on the map are neighbours in the space."),
                ("Continuity", measured.continuity, "Neighbours in the space are neighbours on the map."),
                ("Same emotion, map", measured.purity_map, "Share of the nearest on the map with the same emotion."),
                ("Same emotion, space", measured.purity_embedding, "The same, of the nearest in the space itself."),
                ("Same corpus, space", measured.same_corpus, "Share of the nearest in the space from the same corpus."),
            ):
                st.metric(label, f"{value:.0%}", help=words, width="content")


def draw(clip: SessionClip | None) -> None:
    if not (spaces := state.available_spaces()):
        show_empty()
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view = choose_view(spaces)
    try:
        found = state.read(view.space)
        own = own_clips.embed(clip, view.space) if clip else None
    except (AtlasError, CheckpointError) as error:
        show_problem(error)
    else:
        _draw_view(view, clip, found, own)


def _draw_view(view: MapView, clip: SessionClip | None, found: Atlas, own: EmbeddedClip | None) -> None:
    neighbours.follow(clip)
    around = neighbours.neighbourhood(found, own)
    left, right = (st.container(), st.container()) if view.second_space else st.columns([2.4, 1], gap="medium")
    with left:  # first: it takes the browser longest
        drawn = _show_maps(view, clip, neighbours.chosen(found, around))
    with right:
        panel.show_panel(found, clip, own, around)
    if view.space in drawn:
        chosen = sorted(set().union(*(ids for _, ids in drawn.values())))
        _show_details(found, drawn[view.space][0], view, clip, own, chosen)


def _show_maps(view: MapView, clip: SessionClip | None, reached: int | None) -> dict[str, tuple[Projection, set[str]]]:
    """One map, or two beside each other; of each space that can be shown, with the ids chosen by lasso or box."""
    spaces = [view.space, *([view.second_space] if view.second_space else [])]
    drawn = {}
    for name, column in zip(spaces, st.columns(len(spaces)), strict=True):
        with column:
            try:
                drawn[name] = _show_space(name, view, clip, reached if name == view.space else None)
            except (AtlasError, CheckpointError, ValueError) as error:
                show_problem(error)
    return drawn


def _show_space(name: str, view: MapView, clip: SessionClip | None, reached: int | None) -> tuple[Projection, set[str]]:
    """One space with everything in it; ids of what was chosen there.

    Raises:
        AtlasError, CheckpointError: it cannot be shown.
        ValueError: the map cannot be made like this.
    """
    found = state.read(name)
    made = state.projection(found, view.config)
    placed = [own_clips.place(made, found, own, f"{name} {found.version}") for own in takes.all_placed(clip, name)]
    if view.second_space:
        st.markdown(f"**{plain(name)}**")
    rows = show_map(found, made, view, visible(found, view), placed, reached)
    show_card(found)
    show_quality(found, made)
    return made, set(found.ids[rows].tolist())


def _show_details(
    found: Atlas,
    made: Projection,
    view: MapView,
    clip: SessionClip | None,
    own: EmbeddedClip | None,
    chosen: list[str],
) -> None:
    """Below the maps: what was chosen, on a map or else by the filters; the person's voice; the export."""
    shown = visible(found, view)
    if view.second_space and chosen:
        st.button("Deselect all", on_click=unlink, icon=":material/deselect:", key="unlink")
    show_chosen(found, np.flatnonzero(np.isin(found.ids, chosen) if chosen else shown & ~shown.all()))
    if clip and own:
        show_takes(clip)
        show_voice(found.model, clip.id, own)
    show_export(found, made, shown)
