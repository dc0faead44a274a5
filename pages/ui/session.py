"""What this session remembers: results that were computed from its clip."""

from collections.abc import Callable
from typing import Any

import streamlit as st


def remember(make: Callable[[], Any], *key) -> Any:
    """The result of `make`, computed once for this clip. Its key names the clip and all that the result depends on."""
    memory = st.session_state.setdefault("memory", {})
    if key not in memory:
        memory[key] = make()
    return memory[key]


def is_remembered(*key) -> bool:
    """Whether `remember` would give a result at once."""
    return key in st.session_state.get("memory", {})
