"""Every page: axe-core finds nothing serious in either theme, nothing is wider than a phone, no other host is asked."""

import re
import time
from collections.abc import Callable
from functools import partial
from importlib import resources

from playwright.sync_api import expect

from tests.browser.conftest import DESK
from tests.browser.steps import answered, cut, overflow, rerun, still

AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text()
PAGES = (
    "",
    "clip",
    "clip?sample=1006_IOM&model=prosonet",
    "clip?sample=1006_IOM&model=prosonet&view=over_time",
    "clip?sample=1006_IOM&model=prosonet&view=why",
    "clip?sample=1006_IOM&model=prosonet&view=models&compared-models=prosonet",
    "clip?sample=1006_IOM&model=prosonet&view=map",
    "clip?sample=1006_IOM&model=prosonet&view=voice",
    "my_voice",
    "many_files",
    "live",
    "listening_test",
    "models",
    "data_explorer",
    "learn",
    "training",
    "settings",
)
GRAVE = ("serious", "critical")
PATIENCE_S, PAUSE_MS = 20, 500
PHONE = {"width": 390, "height": 844}
RULES = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}  # only colours change with the theme
SWITCHED = """scheme => {
  const brightness = (colour) => colour.match(/\\d+/g).slice(0, 3).reduce((sum, x) => sum + Number(x), 0);
  const app = getComputedStyle(document.querySelector(".stApp"));
  const { color } = getComputedStyle(document.querySelector("h1"));
  return app.colorScheme === scheme && brightness(app.backgroundColor) < brightness(color) === (scheme === "dark") &&
    !document.getAnimations().some((a) => a instanceof CSSTransition && a.playState === "running");
}"""  # colours fade
EDGES = """chosen => [...chosen.parentElement.children].filter((e) => e !== chosen)
  .flatMap((e) => [getComputedStyle(e).borderLeftColor, getComputedStyle(e).borderRightColor])"""
RUN = """async (rules) => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"], ...rules });
  return violations.map(({ id, impact, nodes }) => [impact, id, nodes.map((n) => `${n.target}`).slice(0, 5)]);
}"""


def test_no_serious_finding_nothing_wider_than_a_phone_and_no_other_host(new_page, app_url):
    page, found, asked = new_page("about:blank"), [], []
    page.on("request", lambda request: asked.append(request.url))
    for path in PAGES:
        page.emulate_media(color_scheme="light")
        page.goto(f"{app_url}/{path}")
        page.locator("h1").first.wait_for()
        still(page)
        page.evaluate(AXE)
        for scheme, rules in RULES.items():
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function(SWITCHED, arg=scheme)
            found += [f"{path}, {scheme}: {row}" for row in in_the_end(page, partial(findings, page, rules))]
        page.set_viewport_size(PHONE)
        found += [f"{path}, wider than a phone: {element}" for element in in_the_end(page, partial(overflow, page))]
        page.set_viewport_size(DESK)
    assert not found, "\n".join(found)
    assert [url for url in asked if not url.startswith((app_url, "data:", "blob:"))] == []


def test_a_phone_shows_every_text_to_its_end(new_page, app_url):
    page = new_page("about:blank", viewport=PHONE)
    for path in ("", "many_files", "my_voice", "clip?sample=story&model=prosonet"):
        page.goto(f"{app_url}/{path}")
        page.locator("h1").first.wait_for()
        still(page)
        assert in_the_end(page, partial(cut, page)) == [], path
    expect(page.locator(".model-row", has_text="resonet-no-attention")).to_be_visible()  # the longest name
    assert in_the_end(page, partial(cut, page)) == []
    page.goto(f"{app_url}/models?show=Groups%20of%20speakers")  # the first choice of a line, below the last of another
    edges = page.locator("[data-testid=stButtonGroup] button[data-selected=true]").evaluate(EDGES)
    assert len({*edges}) == 1, edges


def test_lessons_and_parts_stand_in_few_lines(new_page, app_url):
    for path, viewport, n_lines in (("learn", DESK, 1), ("models", PHONE, 2)):
        page = new_page(f"{app_url}/{path}", viewport=viewport)
        choices = page.get_by_test_id("stButtonGroup").first.get_by_role("radio")
        choices.first.wait_for()
        assert len({box["y"] for box in (choice.bounding_box() for choice in choices.all())}) == n_lines, path


def test_what_opens_over_the_page_follows_the_theme(new_page, app_url):
    page, found = new_page(f"{app_url}/clip?sample=1006_IOM&model=prosonet"), []
    answered(page)
    still(page)
    page.evaluate(AXE)
    for opener in ("[class*=st-key-another-] button", ".st-key-settings button"):
        page.emulate_media(color_scheme="light")
        page.locator(opener).first.click()
        page.get_by_test_id("stPopoverBody").wait_for()
        for scheme in RULES:  # switched while it is open
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function(SWITCHED, arg=scheme)
            look = partial(findings, page, RULES["dark"])
            found += [f"{opener}, {scheme}: {row}" for row in in_the_end(page, look)]
        page.keyboard.press("Escape")
        page.get_by_test_id("stPopoverBody").wait_for(state="hidden")
    assert not found, "\n".join(found)


def test_the_tools_of_a_table_are_in_sight_by_keyboard_and_cover_nothing_by_touch(new_page, app_url, chromium):
    page = new_page(f"{app_url}/data_explorer")
    still(page)
    page.get_by_role("button", name="Show/hide columns").first.focus()
    expect(page.get_by_test_id("stElementToolbar").first).to_have_css("opacity", "1")
    phone = chromium.browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    page = phone.new_page()
    page.goto(f"{app_url}/data_explorer")
    tools = page.get_by_test_id("stElementToolbar").first
    tools.wait_for()
    above = page.get_by_text("what a model does in another language").bounding_box()
    assert tools.bounding_box()["y"] >= above["y"] + above["height"]
    phone.close()


def test_the_page_has_a_ring_where_tab_leads_to_it_and_none_after_a_click(new_page, app_url):
    page = new_page(f"{app_url}/settings")
    still(page)
    main = page.get_by_test_id("stMain")
    main.click(position={"x": 40, "y": 400})
    page.keyboard.press("a")
    expect(main).to_be_focused()
    expect(main).to_have_css("outline-style", "none")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(main).to_be_focused()
    expect(main).to_have_css("outline-style", "solid")


def findings(page, rules: dict) -> list:
    return [row for row in page.evaluate(RUN, rules) if row[0] in GRAVE]


def test_possible_emotions_are_chosen_by_keys_and_the_bars_follow(new_page, app_url):
    page = new_page(f"{app_url}/clip?sample=1006_IOM&model=prosonet")
    answered(page)
    still(page)
    page.locator(".st-key-settings button").first.press("Enter")
    choice = page.get_by_test_id("stPopoverBody").get_by_test_id("stButtonGroup")
    for emotion in ("neutral", "happy", "angry"):
        pill = choice.locator("button", has_text=emotion)
        rerun(page, partial(pill.press, "Space"))
        expect(pill).to_be_focused()
    expect(page.get_by_text("3 possible emotions")).to_be_visible()
    bars = page.locator(".js-plotly-plot").filter(has=page.locator(".ytick")).first.locator(".ytick")
    expect(bars).to_have_text([re.compile("angry"), re.compile("happy"), re.compile("neutral")])  # from below
    page.evaluate(AXE)
    assert in_the_end(page, partial(findings, page, RULES["light"])) == []


def in_the_end(page, look: Callable[[], list]) -> list:
    """What is found again and again: charts and colours follow late on a busy machine."""
    until = time.monotonic() + PATIENCE_S
    while (found := look()) and time.monotonic() < until:
        page.wait_for_timeout(PAUSE_MS)
    return found
