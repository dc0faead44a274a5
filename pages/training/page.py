"""How models are trained: those on this machine, the experiments behind them, and runs of one's own as they go."""

import streamlit as st

st.title("Training", anchor=False)
with st.spinner("Starting"):
    from pages.training import shipped, view
    from ser_core.training import list_runs

if list_runs():
    view.show_runs()
    view.show_settings(list_runs())
shipped.show_shipped()
shipped.show_experiments()
if not list_runs():
    view.show_empty()
