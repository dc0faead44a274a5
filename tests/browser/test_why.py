"""The page "Why?" in a browser: on a small screen, the parts of a sound are heard, and the keyboard chooses them."""

from playwright.sync_api import expect

from tests.browser.conftest import PATIENCE_MS

expect.set_options(timeout=PATIENCE_MS)


def test_the_parts_of_a_sound_can_be_heard_on_a_small_screen(app_url, new_page):
    page = new_page(f"{app_url}/clip?view=why", viewport={"width": 390, "height": 900})
    page.get_by_role("tab", name="Samples").click()
    page.get_by_role("button", name="Low and slow").click()
    page.get_by_role("heading", name="Robustness").wait_for()
    expect(page.locator(".st-key-why-map image")).to_have_count(2)  # the spectrogram, and the map over it
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    page.get_by_role("radio", name="Remainder").check()
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(800)
    assert float(page.get_by_role("slider", name="Position in the recording").get_attribute("aria-valuenow")) > 0.2

    page.get_by_role("slider", name="Share of the spectrogram").press("ArrowRight")
    expect(page.get_by_text("25 %", exact=True)).to_be_visible()
    expect(page.get_by_role("radio", name="Relevant part")).to_be_checked()  # other sounds: it begins anew
