"""What a page shows instead of a result."""

import streamlit as st

from pages.ui.text import plain
from ser_core.models import HOW_TO_TRAIN, CheckpointError


def show_problem(error: ValueError, file_name: str | None = None) -> None:
    """A sentence instead of a result, under the name of the file if that is the cause."""
    if file_name:
        st.text(file_name)
    about_model = isinstance(error, CheckpointError)
    st.error(plain(str(error)), title="The model cannot be used" if about_model else "This cannot be analysed")


def show_no_model() -> None:
    st.info(HOW_TO_TRAIN, title="There is no trained model yet")
