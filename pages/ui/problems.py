"""What a page shows instead of a result."""

import streamlit as st

from pages.ui.text import plain
from ser_core.models import HOW_TO_TRAIN, CheckpointError


def show_problem(error: ValueError, file_name: str | None = None) -> None:
    """An error message instead of a result, under the file name if the file is the cause."""
    if file_name:
        st.text(file_name)
    about_model = isinstance(error, CheckpointError)
    st.error(plain(str(error)), title="The model cannot be used" if about_model else "The audio cannot be analysed")


def show_no_model() -> None:
    st.info(HOW_TO_TRAIN, title="No trained model yet")
