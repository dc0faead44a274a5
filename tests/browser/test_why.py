"""The view "Why" in a browser: on a small screen, the parts of a sound are heard, one at a time."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import PATIENCE_MS, SAMPLES
from tests.browser.steps import answered, eventually, settle, start, upload

expect.set_options(timeout=PATIENCE_MS)


def test_the_parts_of_a_sound_can_be_heard_on_a_small_screen(app_url, new_page):
    page = new_page(f"{app_url}/clip?view=why&model=prosonet", viewport={"width": 390, "height": 900})
    upload(page, SAMPLES / "low_slow.ogg")
    page.get_by_role("heading", name="Robustness").wait_for()
    expect(page.locator(".st-key-why-map image")).to_have_count(2)  # the spectrogram, and the map over it
    settle(page)
    assert eventually(page, lambda: page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))

    menu = page.get_by_role("combobox", name="Method")
    expect(menu).to_have_value(re.compile(r"of 2 tests"))  # the method in use is tested on this clip
    page.locator("[class*=st-key-play-Relevant]").get_by_role("button").click()
    other = page.locator(".remote")
    expect(other.locator(".name")).to_have_text("Relevant part")
    expect(other.locator(".stop")).to_be_enabled()
    page.get_by_role("button", name="Play", exact=True).first.click()  # the clip itself
    expect(other).to_be_hidden()

    settle(page)
    page.get_by_role("slider", name="Share kept").press("ArrowRight")
    expect(page.get_by_text("Relevant part, 25%")).to_be_visible()


def test_nothing_of_the_view_before_stays_below_while_the_map_is_tested(app_url, new_page):
    page = new_page(f"{app_url}/clip?sample=1006_IOM&model=prosonet")
    answered(page)
    start(page, page.get_by_role("radio", name="Why").click)
    page.get_by_role("slider", name="Share kept").wait_for()
    expect(page.locator("[class*=st-key-play-Relevant]")).to_be_visible()  # above: nothing is pushed down later
    assert not page.get_by_role("button", name="Download TextGrid").count()
