"""Map of the embedding space of a model: all corpus clips, with the clip of the session placed among them."""

import streamlit as st

st.title("Embedding map", anchor=False)
with st.spinner("Starting"):
    from pages.embedding_map import state, view as parts
    from pages.ui.clip import chosen, current_clip
    from pages.ui.clip_input import choose_clip
    from pages.ui.problems import show_problem
    from ser_core.audio import AudioError
    from ser_core.interpret import AtlasError
    from ser_core.models import CheckpointError

spaces = state.available_spaces()
if not spaces:
    parts.show_empty()
    st.stop()
with st.container(horizontal=True, vertical_alignment="bottom"):
    view = parts.choose_view(spaces)
    with st.popover("Your clip", icon=":material/mic:"):
        choose_clip()
        st.caption("Everything runs on your machine. Your audio is kept in this session only.")

clip = None
try:
    clip = current_clip()
except AudioError as error:
    show_problem(error, chosen().name)
shown_spaces = [view.space, *([view.second_space] if view.second_space else [])]
columns, selected, drawn = st.columns(len(shown_spaces)), {}, {}
for name, column in zip(shown_spaces, columns, strict=True):
    with column:
        try:
            drawn[name] = parts.draw(name, view, clip, selected)
        except (AtlasError, CheckpointError, ValueError) as error:
            show_problem(error)
if view.space in drawn:
    parts.show_details(*drawn[view.space], view, selected)
