"""What the models learned from: the corpora in numbers, how their emotions sound, and which protocol shares what."""

import streamlit as st

st.title("Data explorer", anchor=False)
with st.spinner("Starting"):
    from pages.data import view
    from pages.ui.results import statistics

found = statistics()
view.show_corpora(found)
if found:
    view.show_measure(found)
view.show_voices()
view.show_protocols()
