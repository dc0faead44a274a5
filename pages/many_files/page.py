"""Many files: an overview, a table in order of doubt, and, with labels, what they and the models are worth."""

import streamlit as st

st.title("Many files", anchor=False)
with st.spinner("Starting"):
    from pages.many_files import inputs, run, state
    from pages.many_files.batch import read_batch
    from pages.ui.emotion import choose_emotions
    from pages.ui.model_picker import choose_models
    from pages.ui.problems import show_no_model, show_problem
    from ser_core.inference import SpeakerReferenceError
    from ser_core.models import CheckpointError, available_models

names = available_models()
if not names:
    show_no_model()
    st.stop()
inputs.choose_files()
if not state.sound_files():
    with st.container():  # as one: otherwise parts of it stay below the progress
        inputs.show_empty()
    st.stop()
tools = st.container(horizontal=True, vertical_alignment="center")
with tools, st.popover("Models", icon=":material/tune:", key="batch-models"):
    models = choose_models(names)
    inputs.choose_reference(models)
    choose_emotions()
if not models:
    st.info("Choose at least one model.")
    st.stop()
try:
    with st.container():  # as below: what follows a part of changing length stays in its place
        inputs.show_reference(models)
except (SpeakerReferenceError, CheckpointError) as error:
    show_problem(error)
    st.stop()
with st.container():
    run.work(models, tools)
try:
    batch = read_batch(models)
    with st.container():
        inputs.show_problems(batch)
    if batch.rows:
        from pages.many_files import files, head, labels, own_map

        views = {"Files": files.show, "Labels": labels.show, "Map": own_map.show, "Your own classifier": head.show}
        views[files.choose_view(list(views))](batch)
except CheckpointError:  # deleted since `choose_models` looked; it leaves it out now
    st.rerun()
run.go_on()
