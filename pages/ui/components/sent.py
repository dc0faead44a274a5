"""What the browser sent through a component."""

from typing import Any

import streamlit as st


def sent_value(key: str, name: str) -> Any:
    """Anything; None also where it comes late: the page of the component has been left, as by a double click."""
    return st.session_state.get(key, {}).get(name)
