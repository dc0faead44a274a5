"""The workspace: one clip with its player, and one view at a time of what the models make of it."""

from pathlib import Path

import streamlit as st

st.html(Path(__file__).with_name("workspace.css"))
with st.spinner("Starting"):  # torch takes seconds to import, once per server
    from pages.ui.clip import receive_live_recording
    from pages.workspace import shell

shell.draw(receive_live_recording())
