"""Plotly figures on a page, each with a text alternative and its numbers as a table."""

from hashlib import blake2b
from typing import Any

import pandas  # noqa: F401 plotly checks for it, and fails while another thread is importing it
import streamlit as st
from plotly.basedatatypes import BaseFigure
from plotly.graph_objects import Figure
from plotly.io.json import to_json_plotly

from pages.ui.export import offer_download, rows_as_csv
from ser_core.plots import figure_to_rows

TEXT = "#000037"  # Streamlit puts the text colour of the theme in its place; its own, a grey, has a contrast of 4:1

REVISION = "datarevision"  # of plotly: the same name, the same arrays


class PreparedFigure(BaseFigure):
    """A figure that was checked once, for a chart of thousands of points; never changed, only added to.

    Streamlit has plotly draw every figure twice, the second time only what differs: nothing, for a figure without its
    theme, with arrays as lists and with a name for what they hold.
    """

    def __init__(self, spec: dict):
        self._spec = spec

    @classmethod
    def of(cls, figure: Figure) -> "PreparedFigure":
        figure.layout.template = None
        return cls({"data": _traces(figure), "layout": figure.layout.to_plotly_json()})._named()

    def with_traces(self, figure: Figure) -> "PreparedFigure":
        """This one with the traces and shapes of another on top."""
        added = _traces(figure)
        layout = self._spec["layout"] | {"shapes": [shape.to_plotly_json() for shape in figure.layout.shapes]}
        drawn = PreparedFigure({"data": [*self._spec["data"], *added], "layout": layout})
        return drawn._named(self._spec["layout"].get(REVISION, "") + _digest(added)) if added else self

    def annotation_indices(self, name: str) -> list[int]:
        """Which annotations have this name."""
        return [i for i, there in enumerate(self._spec["layout"].get("annotations", ())) if there.get("name") == name]

    def _named(self, revision: str | None = None) -> "PreparedFigure":
        """With a name for its arrays, but for contours: without arrays, plotly cannot draw them again."""
        if not any(trace["type"] == "contour" for trace in self._spec["data"]):
            self._spec["layout"] = self._spec["layout"] | {REVISION: revision or _digest(self._spec["data"])}
        return self

    def to_dict(self) -> dict:
        return self._spec


def _traces(figure: Figure) -> list[dict]:
    """Its traces with numpy arrays, which become lists; `to_dict` would encode them."""
    return [trace.to_plotly_json() for trace in figure.data]


def _digest(traces: list[dict]) -> str:
    return blake2b(to_json_plotly(traces).encode(), digest_size=8).hexdigest()


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
    theme = "streamlit" if isinstance(figure, Figure) else None
    drawn = st.plotly_chart(figure, key=key, config=config, alt=alt, theme=theme, **options)
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
        offer_download("Download the numbers", rows_as_csv(rows), "chart.csv", "text/csv", key=f"csv-{key}")
