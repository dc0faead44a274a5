"""A plotly figure on a page: never without the words that stand for it."""

from typing import Any

import streamlit as st
from plotly.graph_objects import Figure

TOOLS = {"displaylogo": False, "scrollZoom": True}


def chart(figure: Figure, key: str, alt: str, picture: str = "", **options: Any) -> Any:
    """Draws a figure as wide as its column.

    Args:
        key: of the widget.
        alt: what the figure shows, for those who do not see it.
        picture: "svg" or "png": lasso, box, zoom, and a camera that saves such a file, above it.
        options: further arguments of st.plotly_chart.

    Returns:
        What st.plotly_chart does.
    """
    camera = {"toImageButtonOptions": {"format": picture, "filename": "map", "scale": 2 if picture == "png" else 1}}
    config = TOOLS | camera if picture else {"displayModeBar": False}
    return st.plotly_chart(figure, key=key, config=config, alt=alt, **options)


def time_key(clip_id: str) -> str:
    """Widget key of the chart over time: what is chosen in the chart of one clip says nothing about another."""
    return f"trajectory-{clip_id}"


def chosen_time(clip_id: str) -> tuple[str, float] | None:
    """The point chosen in the chart over time: (id, time_s)."""
    points = st.session_state.get(time_key(clip_id), {}).get("selection", {}).get("points", [])
    return (str(points[0]["x"]), float(points[0]["x"])) if points else None
