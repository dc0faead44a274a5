"""Data of the session, models in memory, code examples, API, folders, versions."""

import streamlit as st

st.title("Settings", anchor=False)
with st.spinner("Starting"):
    from pages.settings import view

left, right = st.columns(2, gap="large")
with left:
    view.show_session()
with right:
    view.show_models()
view.show_code()
view.show_api()
view.show_folders()
view.show_machine()
view.show_citation()
