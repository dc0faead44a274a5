"""The page "Models" in a browser: reached by its address, wide enough for no screen to scroll, clicked."""

import pytest

from tests.browser.conftest import ROOT, running

WAYS_TO_START = {
    "streamlit": ("streamlit", "run", ROOT / "app.py", "--server.headless=true", "--server.port"),
    "serve": ("scripts.serve", "--headless", "--port"),
}


@pytest.mark.parametrize("way", WAYS_TO_START)
def test_the_first_request_to_a_server_may_be_for_a_page(chromium, way):
    """Otherwise Streamlit takes the folder pages/ for its list of pages, and shows the dialog "Page not found"."""
    with running(*WAYS_TO_START[way]) as url:
        page = chromium.new_page()
        page.goto(f"{url}/models?show=Ranking")
        page.get_by_role("heading", name="By corpus and emotion").wait_for(timeout=90_000)
        links = page.get_by_test_id("stSidebarNavLink")
        assert links.count() == 10 and "Home" in links.first.inner_text() and not page.get_by_role("dialog").count()
        page.close()


LAST = {
    "Ranking": "Comparison with published results",
    "Confusion": "Confusion matrix",
    "Confidence": "Calibration",
    "Comparison": "Effect of leakage",
}


@pytest.mark.parametrize("part", LAST)
def test_nothing_is_wider_than_the_screen(app_url, new_page, part):
    page = new_page(f"{app_url}/models?split=resonet&show={part}", viewport={"width": 1280, "height": 900})
    page.get_by_role("heading", name=LAST[part]).wait_for()
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(1000)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), width


def test_a_click_on_a_cell_shows_its_clips(app_url, new_page):
    page = new_page(f"{app_url}/models")
    page.get_by_role("radio", name="Confusion").click()
    page.get_by_text("clips, the most confident predictions first").wait_for()
    page.wait_for_timeout(1000)
    cells = page.locator('[class*="st-key-confusion-"] .nsewdrag').first
    box = cells.bounding_box()
    cells.click(position={"x": box["width"] / 16, "y": box["height"] / 16})  # neutral, taken for neutral
    page.locator(".st-key-Label-neutral").wait_for()
    page.locator(".st-key-Predicted-neutral").wait_for()
