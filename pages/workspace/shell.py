"""The frame of the workspace: the clip that the address names, the bar, the player in sight, the chosen view."""

import streamlit as st

from pages.ui import analysis
from pages.ui.analysis import PreparedClip
from pages.ui.clip import chosen, current_clip
from pages.ui.clip_input import take_link
from pages.ui.layout import result_place
from pages.ui.problems import show_no_model, show_problem
from pages.ui.session import LINK, SessionClip, session
from pages.ui.text import plain
from pages.ui.voice.clips import voice_key
from pages.workspace import clip_bar, sound, views
from ser_core.audio import AudioError
from ser_core.models import available_models


def draw(hindered: str) -> None:
    """The full page.

    Args:
        hindered: why a recording that the address names could not be taken; "" where all is well.
    """
    if hindered:
        st.warning(f"{hindered} Download it there and upload it here.")
    _follow_address()
    shown = result_place("workspace", "page")
    clip = problem = None
    try:
        clip = current_clip()
    except AudioError as error:
        problem = error
    with shown():
        if clip:
            _show_in_address(clip)
            _draw_clip(clip)
        else:
            _draw_without_clip(problem)


def _follow_address() -> None:
    """Opens the clip that the address names; an address that names none leaves everything as it is."""
    views.read_address()
    now, link = session(), st.query_params.get(LINK)
    known = bool(chosen()) and chosen().link == link
    if link and link == now.old_link and not known:
        del st.query_params[LINK]
        return
    now.old_link = ""
    if link and not known and not take_link(link):
        st.warning(f"There is no clip “{plain(link)}” here. Recordings of a corpus need the corpus: see Settings.")
        del st.query_params[LINK]


def _show_in_address(clip: SessionClip) -> None:
    """A link to this page opens the same clip, where it is one that others have too."""
    if clip.link and st.query_params.get(LINK) != clip.link:
        st.query_params[LINK] = clip.link


def _draw_without_clip(problem: AudioError | None) -> None:
    st.set_page_config(page_title="Clip")  # the tab of the browser may show the name of a deleted clip
    clip_bar.draw_inputs()
    if problem:
        show_problem(problem, chosen().name)
    view = views.follow_view()
    if not views.VIEWS[view].needs_clip:
        others = st.container(key="dock")
        views.module(view).draw(None)
        with others:
            sound.draw_remote()
        return
    if not available_models():
        show_no_model()
    st.button("Map of all recordings", icon=":material/scatter_plot:", on_click=views.show, args=("map",), key="to-map")


def _draw_clip(clip: SessionClip) -> None:
    clip_bar.draw_bar(clip)
    st.set_page_config(page_title=clip.name)  # of the tab of the browser
    prepared = analysis.prepare_clip(clip, clip_bar.settings())
    if notes := (*clip.notes, *prepared.notes):
        st.warning("  \n".join(map(plain, notes)))
    with st.container(key="dock"):
        player, others = st.container(), st.container()
        view = views.choose_view()
        with player:
            sound.draw_player(prepared, _strip(prepared, views.VIEWS[view].predicts_segments))
    place = result_place((view, clip.id), "view")
    with place():
        finish = views.module(view).draw(clip)
    with others:
        sound.draw_remote(prepared)
    if finish:
        finish()


def _strip(prepared: PreparedClip, of_view: bool) -> tuple:
    """What the emotions under the player depend on: those of the answer, but for a view with predictions of its own."""
    settings = clip_bar.settings()
    adapter = session().adapters.get(settings.model) if settings.my_voice else None
    return prepared.id, settings, voice_key() if settings.enrolled else (), adapter, of_view
