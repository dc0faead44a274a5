"""Training runs on this machine: state, learning curves, and differences of configuration."""

import streamlit as st

st.title("Training", anchor=False)
with st.spinner("Starting"):
    from pages.training import view
    from ser_core.training import list_runs

if not list_runs():
    view.show_empty()
    st.stop()
view.show_runs()
view.show_difference(list_runs())
