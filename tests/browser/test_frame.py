"""What every page promises, in a browser: numbers behind charts, settings in the address."""

import csv
import re

import numpy as np
import soundfile
from playwright.sync_api import expect

from tests.browser.conftest import PATIENCE_MS, ROOT, free_port, served
from tests.browser.plots import drawn
from tests.browser.steps import rerun, saved, settle
from tests.make_corpus import voice

expect.set_options(timeout=PATIENCE_MS)
N_FILES = 200


def test_a_chart_gives_its_numbers_to_the_keyboard_and_its_picture_to_the_mouse(new_page, app_url):
    page = new_page(f"{app_url}/models?split=resonet&show=Comparison")
    numbers = page.locator(".st-key-numbers-cost button")
    numbers.wait_for()
    settle(page)
    numbers.focus()
    rerun(page, lambda: page.keyboard.press("Enter"))
    expect(page.get_by_role("dialog")).to_be_focused()  # it stands at the end of the document
    rows = list(csv.DictReader(saved(page, "Download the numbers").path().read_text().splitlines()))
    assert {"resonet", "svm-egemaps"} <= {row["name"] for row in rows} and 0 < float(rows[0]["UAR"]) < 1
    page.get_by_role("dialog").focus()
    rerun(page, lambda: page.keyboard.press("Escape"))
    expect(numbers).to_be_focused()
    drawn(page, page.locator(".st-key-cost .js-plotly-plot"))
    page.locator(".st-key-cost").hover()
    with page.expect_download() as waiting:
        page.locator(".st-key-cost .modebar-btn").click()
    assert waiting.value.suggested_filename == "cost.svg" and "<svg" in waiting.value.path().read_text()


def test_escape_gives_the_focus_to_the_button_of_the_popover_that_it_closes(new_page, app_url):
    page = new_page(f"{app_url}/clip?model=simple-cnn&sample=low_slow&view=over_time")
    by_key, by_pointer = (page.get_by_role("button", name=name) for name in ("Your segments", "Models and windows"))
    by_pointer.wait_for()
    settle(page)
    by_key.press("Enter")
    expect(page.get_by_role("dialog")).to_be_focused()
    page.keyboard.press("Escape")
    expect(by_key).to_be_focused()
    by_pointer.click()
    page.get_by_role("dialog").locator("input").first.focus()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_timeout(300)  # the focus comes a little later
    expect(by_pointer).to_be_focused()


def test_settings_live_in_the_address(new_page, app_url):
    page = new_page(f"{app_url}/models?show=Ranking")
    rerun(page, page.get_by_role("radio", name="macro-F1").click)
    page.wait_for_url(re.compile("measure=macro"))
    page.reload()
    expect(page.get_by_role("radio", name="macro-F1")).to_be_checked()


def test_a_model_that_the_address_names_is_used_in_every_view(new_page, app_url):
    page = new_page(f"{app_url}/clip?model=simple-cnn&sample=low_slow")
    expect(page.locator(".model-row .model").first).to_have_text("simple-cnn")
    shares = page.locator(".model-row .track").evaluate_all(
        "bars => bars.map(b => b.clientWidth / b.parentNode.clientWidth)"
    )
    assert min(shares) > 0.2  # long enough to be compared
    rerun(page, page.get_by_role("radio", name="Over time").click)
    page.wait_for_url(re.compile("view=over_time"))
    page.locator(".st-key-settings button").click()
    expect(page.get_by_role("combobox", name="Model")).to_have_value("simple-cnn")


def test_two_hundred_files_survive_a_visit_to_another_page_but_no_reload(new_page, app_url, tmp_path):
    page = new_page(f"{app_url}/many_files?models=simple-cnn")
    paths = [tmp_path / f"{i:03d}.wav" for i in range(N_FILES)]
    for i, path in enumerate(paths):
        soundfile.write(path, voice(120 + i, i, duration_s=0.2), 16_000)
    page.locator("input[type=file]").first.set_input_files(paths)
    page.get_by_role("button", name="Download CSV").wait_for()  # of the first ones
    expect(page.locator(".st-key-go, .st-key-stop")).to_have_count(0)
    rerun(page, page.get_by_role("link", name="Settings", exact=True).click)
    expect(page.get_by_text(f"with their results: {N_FILES}")).to_be_visible()
    rerun(page, page.get_by_role("link", name="Many files").click)
    expect(page.get_by_text(f"{N_FILES} of {N_FILES} files are from before")).to_be_visible()
    assert len(saved(page, "Download CSV").path().read_text().splitlines()) == N_FILES + 1
    page.reload()
    page.get_by_text("or a folder of them").wait_for()
    expect(page.get_by_role("button", name="Download CSV")).to_have_count(0)


def test_a_reload_in_the_middle_of_a_run_begins_anew(new_page, app_url, tmp_path):
    page = new_page(f"{app_url}/clip?view=over_time&models=random-forest&from=Upload")
    soundfile.write(tmp_path / "long.wav", np.tile(voice(150, 0), 1000), 16_000)
    page.locator("input[type=file]").first.set_input_files(tmp_path / "long.wav")
    page.locator(".st-key-stop button").first.wait_for()  # twice for a moment, while the result changes its place
    page.reload()
    page.get_by_role("heading", name="Clip", exact=True).wait_for()
    expect(page.get_by_text("encountered an error")).to_have_count(0)


def test_the_first_page_of_a_server_is_whole_and_a_session_that_is_over_is_told(new_page):
    """A link opens the clip of a session that is over again."""
    port = free_port()
    with served(ROOT / "app.py", port=port) as url:
        page = new_page(url)
        page.get_by_role("button", name="Record", exact=True).wait_for()
        page.locator(".answer-hero h2").wait_for()  # the example
        page.get_by_text("Intended use and limits").wait_for()
        page.goto(f"{url}/clip?sample=low_slow&model=prosonet")
        page.get_by_role("button", name="Download JSON").wait_for()
        settle(page)
        expect(page.get_by_text("Your session has expired")).to_have_count(0)
    with served(ROOT / "app.py", port=port):
        page.get_by_test_id("stConnectionStatus").wait_for(state="detached")
        page.get_by_role("button", name="Numbers").first.click()  # the server is asked, unlike by a download
        expect(page.get_by_text("Your session has expired")).to_be_visible()
        expect(page.locator(".answer-hero h2")).to_have_count(1)
