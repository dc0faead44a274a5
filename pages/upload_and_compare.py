"""Many files, several models: a table to sort by doubt and disagreement, and figures where the truth is known."""

import streamlit as st

from pages._frame import require_frame

require_frame(__file__)
st.title("Upload & compare", anchor=False)
with st.spinner("Starting"):
    from pages import _batch, _batch_parts as parts
    from pages._models import choose_models
    from pages._result import show_no_model
    from ser_core.models import available_models

names = available_models()
if not names:
    show_no_model()
    st.stop()
files = parts.choose_files()
models = choose_models(names)
if not files:
    parts.show_empty()
    st.stop()
if not models:
    st.info("Choose at least one model.")
    st.stop()
parts.work(files, models)
heard = [_batch.results()[file.file_id] for file in files if file.file_id in _batch.results()]
parts.show_problems(heard)
read = [h for h in heard if not h.problem]
if read:
    parts.show_table(read, files, models)
    parts.show_truth(read, models)
