"""Which lessons were opened in this session, and the way to the next one."""

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


def show(lessons: Sequence[str], chosen: str) -> None:
    """How many were opened, and a button to the next one that was not."""
    opened = session().page(LearnState).opened
    opened.add(chosen)
    place = lessons.index(chosen)
    left = [lesson for lesson in (*lessons[place + 1 :], *lessons[:place]) if lesson not in opened]
    st.progress(len(opened) / len(lessons), f"{len(opened)} of {len(lessons)} lessons opened")
    if left:
        st.button(f"Next: {left[0]}", icon=":material/arrow_forward:", on_click=_open, args=(left[0],), key="next")


def _open(lesson: str) -> None:
    st.session_state[KEY] = lesson
