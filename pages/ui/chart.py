"""Plotly figures on a page, each with a text alternative and its numbers as a table."""

from typing import Any

import pandas  # noqa: F401 plotly checks for it, and fails while another thread is importing it
import streamlit as st
from plotly.basedatatypes import BaseFigure
from plotly.graph_objects import Figure

from pages.ui.export import rows_as_csv
from ser_core.plots import figure_to_rows

TEXT = "#000037"  # Streamlit puts the text colour of the theme in its place; its own, a grey, has a contrast of 4:1


class PreparedFigure(BaseFigure):
    """A figure that was checked and encoded once, for a chart of thousands of points; never changed, only added to."""

    def __init__(self, spec: dict):
        self._spec = spec

    @classmethod
    def of(cls, figure: Figure) -> "PreparedFigure":
        _darken(figure)
        return cls(figure.to_dict())

    def with_traces(self, figure: Figure) -> "PreparedFigure":
        """This one with the traces of another on top."""
        return PreparedFigure(self._spec | {"data": [*self._spec["data"], *figure.to_dict()["data"]]})

    def to_dict(self) -> dict:
        return self._spec


def chart(
    figure: Figure | PreparedFigure,
    key: str,
    alt: str,
    numbers: bool = True,
    tools: bool = False,
    image_format: str = "svg",
    **options: Any,
) -> Any:
    """Draws a figure as wide as its column; a camera that saves it shows above it where the pointer is.

    Args:
        key: of the widget.
        alt: what the figure shows, for those who do not see it.
        numbers: with a button below it that opens its table; not for an image, or where the page has a better table.
        tools: lasso, box and zoom too.
        image_format: "svg" or "png", what the camera saves.
        options: further arguments of st.plotly_chart.

    Returns:
        What st.plotly_chart does.
    """
    camera = {"format": image_format, "filename": key.partition("-")[0], "scale": 2 if image_format == "png" else 1}
    config = {"displaylogo": False, "toImageButtonOptions": camera}
    config |= {"scrollZoom": True, "displayModeBar": True} if tools else {"modeBarButtons": [["toImage"]]}
    # Of WebGL. Plotly's own 2 draws four times the pixels: without a graphics card 40 % of the map's processor time.
    config["plotGlPixelRatio"] = camera["scale"]
    if isinstance(figure, Figure):
        _darken(figure)
    drawn = st.plotly_chart(figure, key=key, config=config, alt=alt, **options)
    if numbers:
        _offer_numbers(figure, key, alt)
    return drawn


def _darken(figure: Figure) -> None:
    """One by one: plotly takes twice as long to merge an update."""
    figure.layout.font.color = figure.layout.annotationdefaults.font.color = TEXT
    for axis in (*figure.select_xaxes(), *figure.select_yaxes()):
        axis.tickfont.color = axis.title.font.color = TEXT


def _offer_numbers(figure: Figure, key: str, alt: str) -> None:
    """The table is made when its button is clicked."""
    box = st.popover("Numbers", type="tertiary", icon=":material/table:", key=f"numbers-{key}", on_change="rerun")
    if not box.open:
        return
    rows = figure_to_rows(figure)
    with box:
        st.dataframe(rows, hide_index=True, alt=alt)
        st.download_button("Download the numbers", rows_as_csv(rows), "chart.csv", "text/csv", key=f"csv-{key}")
