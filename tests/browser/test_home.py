"""Home, Learn and Settings in a browser: soon there, no wider than the screen; the first minute of a person."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ROOT, served
from tests.browser.steps import answered, overflow, settle

TITLES = {"": "Which emotion is in a voice?", "clip": "Clip", "learn": "Learn", "settings": "Settings"}


def test_the_first_page_of_a_new_server_is_whole(chromium):
    with served(ROOT / "app.py") as url:
        page = chromium.new_page()
        page.goto(url)
        page.get_by_role("button", name="Record", exact=True).wait_for(timeout=60_000)
        page.locator(".answer-hero h2").wait_for()  # the example
        page.get_by_text("Intended use and limits").wait_for(timeout=90_000)
        page.close()


@pytest.mark.parametrize("path", ["clip", "learn"])
def test_the_first_visitor_may_come_by_the_address_of_a_page(chromium, path):
    with served(ROOT / "app.py") as url:
        page = chromium.new_page()
        page.goto(f"{url}/{path}")
        page.get_by_test_id("stSidebarNavLink").nth(9).wait_for(timeout=90_000)
        page.get_by_role("heading", name=TITLES[path], exact=True).wait_for(timeout=90_000)
        page.wait_for_timeout(2000)
        assert page.get_by_text("encountered an error").count() == 0
        page.close()


@pytest.mark.parametrize("path", ["", "learn", "settings"])
def test_nothing_is_wider_than_the_screen(app_url, new_page, path):
    page = new_page(f"{app_url}/{path}", viewport={"width": 1280, "height": 800})
    page.get_by_role("heading", name=re.compile(TITLES[path].split(" ")[0])).first.wait_for()
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(2000)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), width


def test_the_first_minute(app_url, new_page):
    """Record on Home -> answer -> why -> listen -> map -> a link opens the view again."""
    page = new_page(app_url)
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_text(re.compile(r"^([3-9]|\d\d)\.\d s$"))).to_be_visible()
    page.locator("button.record.on").click()
    page.wait_for_url(re.compile("/clip"))
    expect(page.locator(".answer-hero h2")).to_have_count(1)
    answered(page)
    settle(page)
    page.locator(".st-key-next-why button").click()
    page.wait_for_url(re.compile("view=why"))
    listen = page.get_by_role("button", name=re.compile("relevant part", re.I)).first
    listen.wait_for()
    settle(page)
    page.get_by_role("radio", name="Map").click()
    page.wait_for_url(re.compile("view=map"))
    page.locator(".js-plotly-plot").first.wait_for()
    expect(page.get_by_role("heading", name="Your recording")).to_be_visible()

    again = new_page(f"{app_url}/clip?sample=1006_IOM&view=models&model=prosonet")
    expect(again.get_by_role("radio", name="Models")).to_be_checked()
    expect(again.get_by_role("heading", name="CREMA-D, female actor 1006")).to_be_visible()
    settle(again)
    again.reload()
    expect(again.get_by_role("radio", name="Models")).to_be_checked()
    assert overflow(again) == []
