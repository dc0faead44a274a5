"""The enrolled voice on the page "Live": a session of a model that takes a reference starts with it."""

from dataclasses import dataclass

import streamlit as st

from pages.ui.problems import show_problem
from pages.ui.session import PageState, session
from pages.ui.voice.personal import PersonalModel, describe_voice, personal_model
from pages.ui.voice.switch import draw_switch
from ser_core.inference import SpeakerReferenceError
from ser_core.models import CheckpointError, models_for_long_audio


@dataclass
class LiveState(PageState):
    model: str = ""  # chosen in the frame


def keep_model(name: str) -> None:
    """What the frame names, which may be anything."""
    if name in models_for_long_audio():
        session().page(LiveState).model = name


def choose_voice() -> PersonalModel | None:
    """Draws the switch where there is a voice that the model can use; None without a model that can be used."""
    names = models_for_long_audio()
    chosen = session().page(LiveState).model
    name = chosen if chosen in names else next(iter(names), "")
    draw_switch(name)
    try:
        model = personal_model(name)
    except (CheckpointError, SpeakerReferenceError) as error:
        show_problem(error)
        return None
    if name and (about_voice := describe_voice([model])):
        st.caption(about_voice)
    return model
