"""Home: record at once, or upload, or pick a voice; an analysed example; limits."""

import streamlit as st

from pages.home import view

view.draw_head()
inputs, example = st.columns([1.15, 1], gap="medium")
with inputs:
    view.show_recorder()
    view.show_upload()
with example:
    expectation = view.show_example()
view.show_voices()
view.open_workspace()
with st.spinner("Starting"):  # after the rest is drawn
    from pages.home import state

    state.show_state(expectation)
    state.load_ahead()
