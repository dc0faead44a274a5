"""To come."""

import streamlit as st

from pages._frame import require_frame

require_frame(__file__)
st.title("Soon", anchor=False)
