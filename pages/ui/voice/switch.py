"""The one switch for the enrolled voice: kept in the session, drawn in the bar of the clip."""

import streamlit as st

from pages.ui.session import session
from pages.ui.voice.clips import has_voice
from ser_core.inference import MIN_REFERENCE_CLIPS

KEY = "use-voice"


def uses_voice(model: str | None) -> bool:
    """Whether predictions of a model are relative to the enrolled voice."""
    return session().uses_voice and has_voice(model)


def draw_switch(model: str | None) -> None:
    """The switch, where there is a voice that the model can use."""
    if not has_voice(model):
        return
    st.session_state[KEY] = session().uses_voice  # Streamlit forgets it on other pages
    n_clips = len(session().voice_clips)
    few = 0 < n_clips < MIN_REFERENCE_CLIPS
    about = f"{MIN_REFERENCE_CLIPS} clips or more describe a voice better than {n_clips}." if few else ""
    st.toggle(
        "My voice", key=KEY, on_change=_keep, help=f"Predictions relative to your enrolled voice. {about}".strip()
    )


def _keep() -> None:
    session().uses_voice = bool(st.session_state[KEY])
