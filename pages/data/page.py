"""Training data: corpus sizes, acoustic measures by emotion, and the protocols with their speaker overlap."""

import streamlit as st

st.title("Data", anchor=False)
with st.spinner("Starting"):
    from pages.data import view
    from pages.ui.results import statistics

found = statistics()
view.show_corpora(found)
if found:
    view.show_counts(found)
    view.show_measure(found)
view.show_protocols()
view.show_voices()  # last, as a phone shows eight clips one below the other
