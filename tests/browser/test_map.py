"""The embedding map in a browser: what a lasso holds is what numpy says, and a voice finds its place."""

import numpy as np
import pytest
from playwright.sync_api import expect

from ser_core.atlas import available, load_atlas
from ser_core.projection import ProjectionConfig
from tests.browser.conftest import PATIENCE_MS

expect.set_options(timeout=PATIENCE_MS)
pytestmark = pytest.mark.skipif(not available(), reason="no embeddings: python -m scripts.export_embeddings")

# Where a point of the map is on the screen, by the axes that plotly has drawn.
ON_SCREEN = """(plot, [x, y]) => {
    const box = plot.getBoundingClientRect(), { xaxis, yaxis } = plot._fullLayout;
    return [box.left + xaxis._offset + xaxis.l2p(x), box.top + yaxis._offset + yaxis.l2p(y)];
}"""


@pytest.fixture
def space() -> str:
    return next(name for name in ("prosonet", "resonet", *available()) if name in available())


def test_a_box_holds_the_clips_that_lie_in_it(new_page, app_url, space):
    page = new_page(f"{app_url}/embedding_map?space={space}&map=PCA", viewport={"width": 1400, "height": 1000})
    plot = page.locator(".st-key-map-" + space + " .js-plotly-plot").first
    page.get_by_text("Trustworthiness").wait_for()
    page.wait_for_timeout(1500)  # drawn once more when all of the page is there
    coordinates = load_atlas(space).maps[ProjectionConfig("pca")].astype(float)
    low, high = np.quantile(coordinates, [0.3, 0.7], axis=0)
    (x0, y0), (x1, y1) = (plot.evaluate(ON_SCREEN, corner.tolist()) for corner in (low, high))
    page.locator("[data-val=select]").first.click(force=True)  # a box, not a lasso
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move(x1, y1, steps=5)
    page.mouse.up()
    page.get_by_role("heading", name="chosen clips").wait_for()
    ranges = plot.evaluate("plot => plot.layout.selections.map(({x0, x1, y0, y1}) => [x0, x1, y0, y1])")
    (left, right), (bottom, top) = (sorted(ranges[0][i : i + 2]) for i in (0, 2))
    inside = (coordinates > (left, bottom)).all(1) & (coordinates < (right, top)).all(1)
    assert inside.sum() > 10
    page.get_by_role("heading", name=f"{inside.sum()} chosen clips").wait_for()


def test_a_recorded_voice_is_placed_with_its_neighbours(new_page, app_url, space):
    page = new_page(f"{app_url}/embedding_map?space={space}&map=PCA", viewport={"width": 390, "height": 900})
    page.locator("summary").filter(has_text="Your clip").click()
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(3000)
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("heading", name="Your clip").wait_for()
    expect(page.get_by_text("of people it has never heard")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download the map as CSV").click()
    assert waiting.value.path().read_text().count("\n") == len(load_atlas(space).ids) + 1
