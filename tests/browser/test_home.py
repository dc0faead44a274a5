"""The first minute of a person, from Home on."""

import re

from playwright.sync_api import expect

from tests.browser.steps import answered, overflow, settle


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
