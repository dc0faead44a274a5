"""The training runs of this machine: how far they have come, their curves side by side, and what made them differ."""

import streamlit as st

from pages._frame import require_frame

require_frame(__file__)
st.title("Training", anchor=False)
with st.spinner("Starting"):
    from pages import _training_parts as parts
    from ser_core.training import list_runs

if not list_runs():
    parts.show_empty()
    st.stop()
parts.show_runs()
parts.show_difference(list_runs())
