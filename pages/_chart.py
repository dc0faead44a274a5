"""A plotly figure on a page: never without the words that stand for it."""

from typing import Any

import streamlit as st
from plotly.graph_objects import Figure


def chart(figure: Figure, key: str, alt: str, **options: Any) -> Any:
    """Draws a figure as wide as its column.

    Args:
        key: of the widget.
        alt: what the figure shows, for those who do not see it.
        options: further arguments of st.plotly_chart.

    Returns:
        What st.plotly_chart does.
    """
    return st.plotly_chart(figure, key=key, config={"displayModeBar": False}, alt=alt, **options)
