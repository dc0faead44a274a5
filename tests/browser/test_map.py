"""The view "Map" in a browser: a lasso holds what numpy says, a walk by keys, files hold what is shown."""

import csv
import re

import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image
from playwright.sync_api import expect

from ser_core.interpret.atlas import available_atlases, load_atlas
from ser_core.interpret.embeddings import RAW_FEATURES
from ser_core.interpret.projection import ProjectionConfig
from ser_core.models.checkpoint import load_model
from ser_core.models.names import CheckpointError
from tests.browser.conftest import PATIENCE_MS, SAMPLES
from tests.browser.plots import ON_SCREEN, choose, drawn
from tests.browser.steps import eventually, rerun, saved, upload

expect.set_options(timeout=PATIENCE_MS)

# Row, x and y of every point that is drawn.
DRAWN = """plot => plot._fullData.filter(trace => trace.customdata).flatMap(
    trace => [...trace.x].map((x, i) => [trace.customdata[i], x, trace.y[i]]))"""
DESK = {"width": 1400, "height": 1500}  # all of the map below the inputs


def fits(name: str) -> bool:
    """Whether the embeddings are of the model as it is now."""
    try:
        return name == RAW_FEATURES or load_model(name).version == load_atlas(name).version
    except CheckpointError:
        return False


@pytest.fixture(scope="module")
def space() -> str:
    found = [
        name for name in ("prosonet", "resonet", *available_atlases()) if name in available_atlases() and fits(name)
    ]
    if not found:
        pytest.skip("no embeddings of the models here: python -m scripts.export_embeddings prosonet")
    return found[0]


def opened(new_page, app_url, space):
    """The map of principal components, all of it drawn."""
    page = new_page(f"{app_url}/clip?view=map&space={space}&map=PCA", viewport=DESK)
    page.get_by_text("have its emotion").wait_for()
    plot = page.locator(f"[class*=st-key-map-{space}-] .js-plotly-plot")
    drawn(page, plot)
    return page, plot


def photographed(page, plot, form: str):
    """The file that the camera above the map brings."""
    rerun(page, page.locator(".st-key-map-picture").get_by_text(form).click)
    options = "plots => plots.map(({ _context: c }) => [c?.toImageButtonOptions.format, c?.plotGlPixelRatio])"
    wanted = {"SVG": ["svg", 1], "PNG": ["png", 2]}[form]
    assert eventually(page, lambda: plot.evaluate_all(options) == [wanted])  # another chart in place of the former one
    drawn(page, plot)
    with page.expect_download() as waiting:
        plot.locator("[data-title^='Download plot']").click(force=True)
    assert waiting.value.suggested_filename == f"map.{form.lower()}"
    return waiting.value.path()


def walk(page, plot, found, coordinates):
    """To the neighbour of the leftmost clip and back, with the mouse and by keys."""
    low, high = np.quantile(coordinates[:, 0], [0.01, 0.99])  # the leftmost in view lies by itself
    row, *place = min((point for point in plot.evaluate(DRAWN) if low < point[1] < high), key=lambda point: point[1])
    clip = str(found.ids[row])
    (at,) = plot.evaluate(ON_SCREEN, [place])
    page.mouse.move(*at)
    page.locator(".card").get_by_text(clip).wait_for()
    rerun(page, lambda: page.mouse.click(*at))
    card = page.locator(".st-key-map-clip")
    card.get_by_text(clip).wait_for()
    rerun(page, lambda: page.keyboard.press("n"))
    expect(card.get_by_text(clip)).to_have_count(0)  # at its nearest neighbour
    rerun(page, lambda: page.keyboard.press("p"))
    card.get_by_text(clip).wait_for()


def test_a_walk_then_a_lasso_that_holds_what_numpy_says_and_the_files_what_is_shown(new_page, app_url, space):
    page, plot = opened(new_page, app_url, space)
    found = load_atlas(space)
    coordinates = found.maps[ProjectionConfig("pca")].astype(float)
    walk(page, plot, found, coordinates)
    (x0, y0), (x1, y1) = np.quantile(coordinates, [0.2, 0.8], axis=0).tolist()
    corners = [(x0, y0), (x1, y0), ((x0 + x1) / 2, (y0 + y1) / 2), (x1, y1), (x0, y1), (x0, y0)]  # not convex
    choose(page, plot, "lasso", corners)
    page.get_by_role("heading", name="chosen clips").wait_for()
    path = plot.evaluate("plot => plot.layout.selections[0].path")
    polygon = np.array(re.findall(r"([-\d.e]+),([-\d.e]+)", path), float)
    inside = winds(polygon, coordinates)
    assert 10 < inside.sum() < len(inside)
    page.get_by_role("heading", name=f"{inside.sum()} chosen clips").wait_for()
    with saved(page, "Download these clips").path().open() as file:
        assert {row["clip"] for row in csv.DictReader(file)} == set(found.ids[inside])
    table = pyarrow.parquet.read_table(saved(page, "Download the map as parquet").path()).to_pydict()
    points = {str(found.ids[row]): (x, y) for row, x, y in plot.evaluate(DRAWN)}
    assert points.keys() == set(table["text"]) and len(points) == len(found.ids)
    places = [points[clip] for clip in table["text"]]
    np.testing.assert_allclose(np.transpose([table["x"], table["y"]]), places, atol=1e-3)
    assert "<svg" in photographed(page, plot, "SVG").read_text()[:200]
    with Image.open(photographed(page, plot, "PNG")) as picture:
        assert picture.format == "PNG" and picture.width > DESK["width"] / 2
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 50  # not an empty field


def test_a_box_in_one_of_two_maps_is_chosen_in_both(new_page, app_url, space):
    page, plot = opened(new_page, app_url, space)
    page.get_by_role("button", name="More").click()
    page.get_by_label("Second space").click()
    rerun(page, page.get_by_role("option", name=RAW_FEATURES).click)
    page.keyboard.press("Escape")
    second = page.locator(f"[class*=st-key-map-{RAW_FEATURES}-] .js-plotly-plot")
    places = load_atlas(RAW_FEATURES).maps[ProjectionConfig("pca")].astype(float)
    choose(page, second, "select", np.quantile(places, [0.4, 0.6], axis=0).tolist())
    page.get_by_role("button", name="Deselect all").wait_for()
    for both in (plot, second):
        drawn(page, both)
    n_chosen = int(page.get_by_role("heading", name="chosen clips").inner_text().split()[0])
    bright = "plot => plot._fullData.filter(t => t.customdata && t.marker.opacity > 0.5).flatMap(t => [...t.x]).length"
    assert 10 < n_chosen < len(places) and plot.evaluate(bright) == second.evaluate(bright) == n_chosen


def winds(polygon: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Whether a polygon winds an odd number of times around each point."""
    to = polygon[None] - points[:, None]
    angle = np.arctan2(to[..., 1], to[..., 0])
    turns = (np.diff(angle, axis=1, append=angle[:, :1]) + np.pi) % (2 * np.pi) - np.pi
    return np.round(turns.sum(1) / (2 * np.pi)).astype(int) % 2 == 1


def test_a_voice_is_placed_with_its_neighbours_on_a_small_screen(new_page, app_url, space):
    page = new_page(f"{app_url}/clip?view=map&space={space}&map=PCA", viewport={"width": 390, "height": 900})
    upload(page, SAMPLES / "low_slow.ogg")
    expect(page.get_by_text("nearest to your clip")).to_be_visible()
    assert eventually(page, lambda: page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))
    assert saved(page, "Download the map as CSV").path().read_text().count("\n") == len(load_atlas(space).ids) + 1


def test_names_on_the_map_follow_the_theme(new_page, app_url, space):
    page = new_page(f"{app_url}/clip?view=map&space={space}&map=UMAP", viewport=DESK, color_scheme="dark")
    page.get_by_text("have its emotion").wait_for()
    name = page.locator(f"[class*=st-key-map-{space}-] .annotation")
    name.first.wait_for()
    fills = name.first.evaluate("there => [...there.querySelectorAll('.bg, text')].map(e => getComputedStyle(e).fill)")
    background, text = (sum(map(int, re.findall(r"\d+", fill))) for fill in fills)
    assert background < 100 < 500 < text
