"""What this program and this machine are, what is kept and how to delete it, and code to copy."""

import streamlit as st

from pages._frame import require_frame

require_frame(__file__)
st.title("Settings & API", anchor=False)
with st.spinner("Starting"):
    from pages import _settings_parts as parts

left, right = st.columns(2, gap="large")
with left:
    parts.show_session()
with right:
    parts.show_models()
parts.show_code()
parts.show_api()
parts.show_folders()
parts.show_machine()
