"""The page "Models" in a browser: reached by its address, wide enough for no screen to scroll, clicked."""

from tests.browser.plots import drawn
from tests.browser.steps import eventually, rerun, settle

LAST = {
    "Ranking": "Comparison with published results",
    "Confusion": "Confusion matrix",
    "Confidence": "Calibration",
    "Comparison": "Effect of leakage",
}


def test_no_part_is_wider_than_the_screen(app_url, new_page):
    page = new_page(f"{app_url}/models?split=resonet")
    for part, last in LAST.items():
        settle(page)
        page.get_by_role("radio", name=part, exact=True).click()
        page.get_by_role("heading", name=last).wait_for()
        settle(page)
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            fits = "document.documentElement.scrollWidth <= window.innerWidth"
            assert eventually(page, lambda fits=fits: page.evaluate(fits)), (part, width)


def test_a_click_on_a_cell_shows_its_clips(app_url, new_page):
    page = new_page(f"{app_url}/models")
    rerun(page, page.get_by_role("radio", name="Confusion").click)
    page.get_by_text("clips, the most confident predictions first").wait_for()
    drawn(page, page.locator('[class*="st-key-confusion-"] .js-plotly-plot'))
    cells = page.locator('[class*="st-key-confusion-"] .nsewdrag')
    box = cells.bounding_box()
    cells.click(position={"x": box["width"] / 16, "y": box["height"] / 16})  # neutral, taken for neutral
    page.locator(".st-key-Label-neutral").wait_for()
    page.locator(".st-key-Predicted-neutral").wait_for()
