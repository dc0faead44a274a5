"""Which lessons were opened in this session, and the way to the next one; after the last one to the test."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from pages.ui.session import PageState, session

KEY = "lesson"  # of the widget that chooses one


@dataclass
class LearnState(PageState):
    """Lessons opened so far."""

    opened: set[str] = field(default_factory=set)

    def contents(self) -> dict[str, int]:
        return {"lessons opened": len(self.opened)}


def show(lessons: Sequence[str], test: str, chosen: str) -> None:
    """How many lessons were opened, and a button to the next one that was not, or else to the test."""
    opened = session().page(LearnState).opened
    opened.add(chosen)
    later = lessons[lessons.index(chosen) + 1 :]
    following = next((lesson for lesson in later if lesson not in opened), test)
    st.progress(len(opened) / len(lessons), f"{len(opened)} of {len(lessons)} lessons opened")
    st.button(f"Next: {following}", icon=":material/arrow_forward:", on_click=_open, args=(following,), key="next")


def _open(lesson: str) -> None:
    st.session_state[KEY] = lesson
