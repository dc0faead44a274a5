"""Model cards: architecture, training data, results and intended use of each model."""

import streamlit as st

st.title("Model cards", anchor=False)
with st.spinner("Starting"):
    from pages.cards import view
    from pages.ui.problems import show_problem
    from ser_core.models import HOW_TO_TRAIN, CheckpointError, available_models

names = available_models()
if not names:
    st.info(HOW_TO_TRAIN, title="No trained model yet")
    st.stop()
name = st.selectbox("Model", names, key="model", bind="query-params")
try:
    view.show_card(name)
    view.show_files(name)
except CheckpointError as error:  # deleted while the app runs
    show_problem(error)
