"""Overview: inputs, purpose of each page, available models and recordings, limits."""

import streamlit as st

from pages.home import view

st.title("Speech emotion workbench", anchor=False)
view.show_purpose()
left, right = st.columns([1.2, 1], gap="large")
with left:
    view.show_ways_in()
    view.show_pages()
    use = st.container()
with right, st.spinner("Looking for models and recordings"):  # after the rest is drawn: torch takes seconds to import
    from pages.home import state

    state.show_models()
    recordings = st.container()
    state.show_limits()
with use:
    state.show_use()
with recordings:  # thousands of names to read
    state.show_corpora()
