"""The pages "Home", "Learn" and "Settings & API" in a browser: soon there, on one screen, and no wider than it."""

import pytest

from tests.browser.conftest import ROOT, served

TITLES = {
    "": "Speech emotion workbench",
    "clip": "Clip",
    "learn": "Learn",
    "settings": "Settings & API",
}


def test_the_first_page_of_a_new_server_is_whole(chromium):
    with served(ROOT / "app.py") as url:
        page = chromium.new_page()
        page.goto(url)
        page.get_by_role("button", name="Record your voice").wait_for(timeout=60_000)
        page.get_by_role("heading", name="Out of scope").wait_for(timeout=90_000)
        page.close()


@pytest.mark.parametrize("path", ["clip", "learn"])
def test_the_first_visitor_may_come_by_the_address_of_a_page(chromium, path):
    with served(ROOT / "app.py") as url:
        page = chromium.new_page()
        page.goto(f"{url}/{path}")
        page.get_by_test_id("stSidebarNavLink").nth(13).wait_for(timeout=90_000)
        page.get_by_role("heading", name=TITLES[path], exact=True).wait_for(timeout=90_000)
        page.wait_for_timeout(2000)
        assert page.get_by_text("encountered an error").count() == 0
        page.close()


@pytest.mark.parametrize("path", ["", "learn", "settings"])
def test_nothing_is_wider_than_the_screen(app_url, new_page, path):
    page = new_page(f"{app_url}/{path}", viewport={"width": 1280, "height": 800})
    page.get_by_role("heading", name=TITLES[path], exact=True).wait_for()
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(2000)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), width


def test_from_home_to_the_answer_of_a_sample_and_on_to_its_lesson(app_url, new_page):
    page = new_page(app_url)
    page.get_by_text("Low and slow", exact=True).click()
    page.get_by_role("button", name="Analyse this sample").click()
    page.get_by_role("button", name="Download JSON").wait_for()
    assert page.get_by_role("tab", name="Samples").get_attribute("aria-selected") == "true"
    page.get_by_role("link", name="Learn").click()
    page.get_by_text("Low and slow (synthetic, espeak-ng), its loudest part").wait_for()
