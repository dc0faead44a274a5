"""The live page in a browser: speech, silence, faults, keyboard, small screens, and the way to Trajectory."""

import re
from urllib.parse import urlsplit

import pytest
import soundfile
from playwright.sync_api import Page, expect

from ser_core.models.names import FAST_MODEL
from ser_core.serving.routes import LIVE_PATH
from tests.browser.conftest import PATIENCE_MS, SAMPLES, running
from tests.browser.steps import eventually, listed, rerun

SILENT = """navigator.mediaDevices.getUserMedia =
  async () => new AudioContext().createMediaStreamDestination().stream;"""
DENIED = """navigator.mediaDevices.getUserMedia =
  async () => { throw new DOMException("no", "NotAllowedError"); };"""
GONE = """{
  const send = window.fetch;
  window.fetch = (to, how) => (window.gone && String(to).includes("component_server")
    ? Promise.reject(new TypeError("gone")) : send(to, how));
}"""


@pytest.fixture(scope="module")
def everything_url(chromium):
    """The whole program in one process."""
    with running("scripts.serve", "--headless", "--port") as url:
        yield url


@pytest.fixture
def live_url(everything_url) -> str:
    return f"{everything_url}{LIVE_PATH}/"


def begin(page: Page) -> None:
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Stop").wait_for()


def end(page: Page) -> None:
    page.get_by_role("button", name="Stop").click()
    page.get_by_role("heading", name="This session").wait_for()


def total(bars) -> int:
    """Of the percentages that are shown, each rounded; 0 in a pause."""
    return sum(int(text.removesuffix("%")) for text in bars.locator(".value").all_inner_texts() if text != "–")


def test_the_first_request_may_be_for_a_page(new_page, everything_url):
    """First in this file: nobody has asked this server yet."""
    page = new_page(f"{everything_url}/models?show=Ranking")
    page.get_by_role("heading", name="By corpus and emotion", exact=True).wait_for()
    listed(page)


def test_speech_is_predicted_summarised_downloaded_and_handed_over(new_page, live_url, tmp_path):
    page = new_page(live_url)
    assert page.locator("select option").first.inner_text() == FAST_MODEL
    begin(page)
    now = page.locator(".bars.current")
    expect(now.locator(".value").first).to_have_text(re.compile(r"\d+%"))
    expect(page.locator(".history i")).not_to_have_count(0)
    assert eventually(page, lambda: total(now) == pytest.approx(100, abs=4))
    assert eventually(page, lambda: float(page.get_by_role("meter").get_attribute("aria-valuenow")) > -60)
    expect(page.locator(".state")).to_contain_text("gain control are off")
    expect(page.locator(".latency b")).to_have_text(re.compile(r"\d\.\d\d s"))
    page.wait_for_function("document.querySelector('.clock').textContent >= '0:04'")
    end(page)
    summary = page.locator(".summary .text").inner_text()
    assert re.search(r"recorded, [1-9]\d*\.\d s of it speech. Mean confidence", summary)
    assert total(page.locator(".bars.shares")) == pytest.approx(100, abs=5)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download WAV").click()
    download.value.save_as(tmp_path / "live.wav")
    sound, rate = soundfile.read(tmp_path / "live.wav")
    assert len(sound) / rate >= 4 and abs(sound).max() > 0.01
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="Open in Clip").click()
    trajectory = opened.value
    trajectory.get_by_text("Live recording").first.wait_for(timeout=PATIENCE_MS)
    expect(trajectory).to_have_url(re.compile(r"/clip\?view=over_time$"))  # the token has gone
    trajectory.close()


def test_silence_is_not_speech(new_page, live_url):
    page = new_page(live_url, before=SILENT)
    begin(page)
    expect(page.get_by_role("heading", name="No speech")).to_be_visible()
    expect(page.locator(".bars.current .value").first).to_have_text("–")
    expect(page.locator(".state")).to_have_text("No signal. Is the microphone muted?")
    end(page)
    expect(page.locator(".summary .text")).to_contain_text("0.0 s of it speech")
    expect(page.locator(".bars.shares")).to_be_hidden()


def test_while_the_server_is_gone_nothing_is_lost(new_page, live_url):
    page = new_page(live_url, before=GONE)
    begin(page)
    expect(page.locator(".history i")).not_to_have_count(0)
    page.evaluate("window.gone = true")
    expect(page.locator(".state")).to_contain_text("kept here")
    page.wait_for_timeout(2000)
    page.evaluate("window.gone = false")
    expect(page.locator(".state")).to_contain_text("Recording")
    end(page)
    recorded = page.locator(".state").inner_text().removesuffix(" recorded.").split(":")
    processed_s = float(page.locator(".summary .text").inner_text().split(" s recorded")[0])
    assert processed_s == pytest.approx(60 * int(recorded[0]) + int(recorded[1]), abs=1) and processed_s > 2


def test_a_blocked_microphone_is_explained(new_page, live_url):
    page = new_page(live_url, before=DENIED)
    page.get_by_role("button", name="Start").click()
    expect(page.locator(".state")).to_contain_text("blocked the microphone")
    expect(page.get_by_role("button", name="Start")).to_be_enabled()


def test_a_small_screen_the_keyboard_the_themes_and_no_other_host(new_page, live_url):
    page = new_page("about:blank", viewport={"width": 390, "height": 800})
    hosts = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    page.goto(live_url)
    button = page.get_by_role("button", name="Start")
    expect(button).to_be_enabled()
    button.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Stop").wait_for()
    expect(page.locator(".history i")).not_to_have_count(0)
    page.keyboard.press("Space")
    expect(page.get_by_role("heading", name="This session")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") == 390 and hosts == {"127.0.0.1"}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 23, 29)"
        assert dark == (scheme == "dark")


def test_the_microphone_is_part_of_the_program(new_page, everything_url, app_url):
    """A session starts with the enrolled voice, also of a model that was chosen before the voice was switched on."""
    page = new_page(f"{everything_url}/my_voice")
    page.locator("input[type=file]").first.wait_for(state="attached")
    rerun(page, lambda: page.locator("input[type=file]").first.set_input_files(SAMPLES / "low_slow.ogg"))
    page.locator(".st-key-use-voice label").wait_for()
    rerun(page, page.get_by_role("link", name="Live", exact=True).click)
    live = page.frame_locator("iframe[title='Live microphone']")
    live.get_by_label("Model").select_option("prosonet")
    page.locator(".st-key-use-voice label").click()
    expect(live.get_by_label("Adapt to my voice")).to_be_checked()
    expect(live.locator(".reference")).to_have_attribute("title", re.compile("enrolled voice"))
    live.get_by_role("button", name="Start").click()
    expect(live.locator(".history i")).not_to_have_count(0)
    expect(live.locator(".detail")).to_contain_text("Relative to your enrolled voice.")
    expect(live.locator("h1")).to_be_hidden()  # the page has one
    assert "Source Sans" in live.locator(".live").evaluate("box => getComputedStyle(box).fontFamily")
    expect(live.locator(".clock")).to_have_text(re.compile(r"^0:(0[3-9]|[1-5]\d)"))
    live.get_by_role("button", name="Stop").click()
    live.get_by_role("button", name="Open in Clip").click()
    page.get_by_text("Live recording").first.wait_for()
    expect(page).to_have_url(re.compile(r"/clip\?view=over_time$"))
    alone = new_page(f"{app_url}/live")
    expect(alone.get_by_text("make app").first).to_be_visible(timeout=PATIENCE_MS)
