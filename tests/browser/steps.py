"""What tests do again and again in the workspace."""

import json
import time

from playwright.sync_api import expect

from tests.browser.conftest import PATIENCE_MS

expect.set_options(timeout=PATIENCE_MS)


def open_inputs(page):
    """The inputs stand on the page as long as there is no clip, afterwards behind a button."""
    page.locator("[class*=st-key-another-], [data-testid=stTabs]").first.wait_for()
    another = page.locator("[class*=st-key-another-] button")
    if another.count() and not page.get_by_role("tab", name="Upload").count():
        another.first.click()


def upload(page, path):
    open_inputs(page)
    page.get_by_role("tab", name="Upload").click()
    page.locator("input[type=file]").first.set_input_files(path)


def open_sample(page, title):
    open_inputs(page)
    page.get_by_role("tab", name="Samples").click()
    page.get_by_role("button", name=title).click()
    answered(page)


def answered(page):
    expect(page.get_by_role("button", name="Download JSON")).to_have_count(
        1
    )  # for a moment those of two runs are there


def settle(page):
    """Until the server has drawn all: a key that is pressed before that may be lost."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def rerun(page, act) -> None:
    """Does what runs the page again, and waits until it ran: before that the next click may overtake this one."""
    settle(page)
    page.evaluate(
        """() => {
            window.ran = false;
            new MutationObserver((_, observer) => { window.ran = true; observer.disconnect() })
                .observe(document.querySelector(".stApp"), { attributeFilter: ["data-test-script-state"] });
        }"""
    )
    act()
    page.wait_for_function("window.ran")  # or runs: then it has to settle
    settle(page)


def eventually(page, holds, patience_ms=PATIENCE_MS) -> bool:
    """Whether something holds in the end: on a busy machine the browser may be late."""
    until = time.monotonic() + patience_ms / 1000
    while not holds():
        if time.monotonic() > until:
            return False
        page.wait_for_timeout(100)
    return True


def slider(page):
    return page.get_by_role("slider", name="Position in the recording").first


def position_s(page):
    return float(slider(page).get_attribute("aria-valuenow"))


def saved(page, name: str):
    """The download that a button brings; while the page runs, that of the page before may be there as well."""
    settle(page)
    button = page.get_by_role("button", name=name, exact=True)
    expect(button).to_have_count(1)
    with page.expect_download() as waiting:
        button.click()
    return waiting.value


def downloaded(page):
    """Name and content of the JSON export."""
    file = saved(page, "Download JSON")
    return file.suggested_filename, json.loads(file.path().read_text())


def overflow(page):
    """Visible elements over the right edge of the window; what is inside a chart, table or slider is its affair."""
    return page.evaluate(
        """() => [...document.querySelectorAll("[data-testid=stMain] *")]
             .filter((e) => !(e instanceof SVGElement) && !e.matches("input[type=range]") && e.checkVisibility())
             .filter((e) => !e.parentElement.closest("[data-testid=stDataFrameResizable], [data-testid=stTable]"))
             .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
             .map((e) => `${e.tagName} ${e.className}`)"""
    )
