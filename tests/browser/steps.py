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
    """Gives a file to the page when it has run; the page may still be at work on it afterwards."""
    settle(page)
    start(page, lambda: upload_at_once(page, path))


def upload_at_once(page, path):
    open_inputs(page)
    page.get_by_role("tab", name="Upload").click()
    page.locator("input[type=file]").first.set_input_files(path)


def open_sample(page, title):
    settle(page)
    open_inputs(page)
    page.get_by_role("tab", name="Samples").click()
    rerun(page, page.get_by_role("button", name=title).click)
    answered(page)


def answered(page):
    expect(page.get_by_role("button", name="Download JSON")).to_have_count(
        1
    )  # for a moment those of two runs are there


SETTLED = """async () => {
    const state = () => document.querySelector(".stApp")?.dataset.testScriptState;
    const settled = () => !window.runs.busy && state() === "notRunning";
    if (!settled()) return false;
    for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
    await new Promise(done => requestIdleCallback(done, { timeout: 5000 }));
    return settled();
}"""


def settle(page):
    """Until the page has run and drawn all: what is clicked or pressed before that may be lost."""
    page.wait_for_function(SETTLED)


def rerun(page, act) -> None:
    """Does what runs the page again, and waits until it ran: before that the next click may overtake this one."""
    start(page, act)
    settle(page)


def start(page, act) -> None:
    """Does what runs the page again, as soon as it has run, and waits until the server is asked for that."""
    settle(page)
    asked = page.evaluate("runs.asked")
    act()
    page.wait_for_function("asked => runs.asked > asked", arg=asked)


def eventually(page, holds, patience_ms=PATIENCE_MS) -> bool:
    """Whether something holds in the end: on a busy machine the browser may be late."""
    until = time.monotonic() + patience_ms / 1000
    while not holds():
        if time.monotonic() > until:
            return False
        page.wait_for_timeout(100)
    return True


def still(page):
    """Until the page has run and stays as it is for ten pictures of the browser: charts are drawn after the run."""
    settle(page)
    assert eventually(page, lambda: page.evaluate(UNCHANGED))


UNCHANGED = """async () => {
    const main = document.querySelector("[data-testid=stMain]");
    const size = () => `${document.querySelectorAll("*").length}, ${main?.scrollHeight}`, before = size();
    for (let i = 0; i < 10; i++) await new Promise(requestAnimationFrame);
    return size() === before;
}"""


def listed(page):
    """The program's own pages are in the menu, also if the first request to a server was for one of them.

    Otherwise Streamlit takes the folder pages/ for its list of pages, and shows the dialog "Page not found".
    """
    settle(page)
    links = page.get_by_test_id("stSidebarNavLink")
    expect(links).to_have_count(9)
    assert "Home" in links.first.inner_text() and not page.get_by_role("dialog").count()


def slider(page):
    return page.get_by_role("slider", name="Position in the recording").first


def position_s(page):
    return float(slider(page).get_attribute("aria-valuenow"))


def saved(page, name: str):
    """The download that a button brings once the page has run; before, that of another run may be there as well."""
    button = page.get_by_role("button", name=name, exact=True)
    button.first.wait_for()
    settle(page)
    expect(button).to_have_count(1)
    with page.expect_download() as waiting:
        button.click()
    return waiting.value


def downloaded(page):
    """Name and content of the JSON export."""
    file = saved(page, "Download JSON")
    return file.suggested_filename, json.loads(file.path().read_text())


def cut(page):
    """Visible texts of which the end is replaced by three dots."""
    return page.evaluate(
        """() => [...document.querySelectorAll("[data-testid=stMain] *")]
             .filter((e) => e.checkVisibility() && getComputedStyle(e).textOverflow === "ellipsis")
             .filter((e) => e.innerText && e.clientWidth > 1) // no name of an icon, for those who hear it
             .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.innerText)"""
    )


def overflow(page):
    """Visible elements over the right edge of the window; what is inside a chart, table or slider is its affair."""
    return page.evaluate(
        """() => [...document.querySelectorAll("[data-testid=stMain] *")]
             .filter((e) => !(e instanceof SVGElement) && !e.matches("input[type=range]") && e.checkVisibility())
             .filter((e) => !e.parentElement.closest("[data-testid=stDataFrameResizable], [data-testid=stTable]"))
             .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
             .map((e) => `${e.tagName} ${e.className}`)"""
    )
