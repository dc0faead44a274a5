"""What a page shows instead of a result."""

import streamlit as st

from pages.ui.text import plain
from ser_core.audio import AudioError
from ser_core.models import HOW_TO_TRAIN, CheckpointError

TITLES = {AudioError: "The audio cannot be analysed", CheckpointError: "The model cannot be used"}


def show_problem(error: ValueError, file_name: str | None = None) -> None:
    """An error message instead of a result, under the file name if the file is the cause."""
    if file_name:
        st.text(file_name)
    st.error(plain(str(error)), title=TITLES.get(type(error), "This cannot be computed"))


def show_no_model() -> None:
    st.info(HOW_TO_TRAIN, title="No trained model yet")
