"""What the models learned from: the corpora in numbers, how their emotions sound, and which protocol shares what."""

import streamlit as st

from pages._frame import require_frame

require_frame(__file__)
st.title("Data explorer", anchor=False)
with st.spinner("Starting"):
    from pages import _data_parts as parts

found = parts.statistics()
parts.show_corpora(found)
if found:
    parts.show_measure(found)
parts.show_voices()
parts.show_protocols()
