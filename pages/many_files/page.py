"""Many files, several models: a sortable table, and metrics where the labels are known."""

import streamlit as st

st.title("Many files", anchor=False)
with st.spinner("Starting"):
    from pages.many_files import state, view
    from pages.ui.model_picker import choose_models
    from pages.ui.problems import show_no_model
    from ser_core.models import available_models

names = available_models()
if not names:
    show_no_model()
    st.stop()
files = view.choose_files()
models = choose_models(names)
if not files:
    view.show_empty()
    st.stop()
if not models:
    st.info("Choose at least one model.")
    st.stop()
view.work(files, models)
items = [state.results()[file.file_id] for file in files if file.file_id in state.results()]
view.show_problems(items)
read = [h for h in items if not h.problem]
if read:
    view.show_table(read, files, models)
    view.show_truth(read, models)
