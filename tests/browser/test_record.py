"""The page "Record & analyse" in a real browser: microphone, player, downloads, keyboard, small screens, themes."""

import json
import re

import av
import numpy as np
import pytest
import soundfile
from playwright.sync_api import expect

from tests.browser.conftest import PATIENCE_MS, SAMPLES, drag, served

expect.set_options(timeout=PATIENCE_MS)

RECORDER_ALONE = """
import sys
sys.path.insert(0, {root!r})
import streamlit as st
from pages.ui.components.recorder import recorder
from ser_core import read_audio

arrived = recorder(key="raw", max_s=2)
if arrived:
    st.text(f"{{read_audio(arrived[0]).duration_s:.1f}} s arrived")
"""


def upload(page, path):
    page.get_by_role("tab", name="Upload").click()
    page.locator("input[type=file]").first.set_input_files(path)


def open_sample(page, title):
    page.get_by_role("tab", name="Samples").click()
    page.get_by_role("button", name=title).click()
    answered(page)


def answered(page):
    expect(page.get_by_role("button", name="Download JSON")).to_be_visible()


def slider(page):
    return page.get_by_role("slider", name="Position in the recording")


def position_s(page):
    return float(slider(page).get_attribute("aria-valuenow"))


def downloaded(page):
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download JSON").click()
    return waiting.value.suggested_filename, json.loads(waiting.value.path().read_text())


@pytest.fixture
def analyse_url(app_url):
    return f"{app_url}/clip"


@pytest.fixture
def page(new_page, analyse_url):
    return new_page(analyse_url)


def test_from_the_microphone_to_the_answer_the_player_and_the_export(page):
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_role("meter")).to_be_visible()
    expect(page.get_by_text(re.compile(r"5\d s left"))).to_be_visible()
    page.wait_for_timeout(3500)
    page.locator("button.record.on").click()  # Streamlit may have a Stop of its own
    answered(page)

    name, content = downloaded(page)
    assert name == "Your_recording_emotion.json"
    assert 3 < content["duration_s"] < 8 and content["speech_s"] > 1
    assert content["notes"] == []  # no processing was kept on, nothing was repaired

    slider(page).click(position={"x": slider(page).bounding_box()["width"] / 2, "y": 100})
    assert position_s(page) == pytest.approx(content["duration_s"] / 2, abs=0.2)
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(1000)
    assert position_s(page) > content["duration_s"] / 2 + 0.3
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_the_recorder_stops_by_itself(new_page, tmp_path, request):
    script = tmp_path / "recorder_alone.py"
    script.write_text(RECORDER_ALONE.format(root=str(request.config.rootpath)))
    with served(script) as url:
        page = new_page(url)
        page.get_by_role("button", name="Record", exact=True).click()
        expect(page.get_by_text("2.0 s arrived")).to_be_visible()
        expect(page.get_by_role("button", name="Record", exact=True)).to_be_visible()


FAULTS = {
    "NotAllowedError": "blocked the microphone",
    "NotFoundError": "No microphone was found",
    "NotReadableError": "Another program",
    "SomethingElse": "could not be opened",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_microphone_fault_is_explained_and_the_page_goes_on(new_page, analyse_url, fault):
    refuse = f"navigator.mediaDevices.getUserMedia = async () => {{ throw new DOMException('', '{fault}'); }};"
    page = new_page(analyse_url, before=refuse)
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_text(FAULTS[fault])).to_be_visible()
    open_sample(page, "Low and slow")


def test_a_page_without_a_secure_address_says_so(new_page, analyse_url):
    page = new_page(analyse_url, before="Object.defineProperty(window, 'isSecureContext', { value: false });")
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_text("http://localhost")).to_be_visible()


def test_the_browsers_own_recorder(page):
    widget = page.get_by_test_id("stAudioInput")
    for _ in range(3):  # a click that lands while the page is drawn again is lost
        page.get_by_text("The browser's own recorder").click()
        page.wait_for_timeout(1000)
        if widget.is_visible():
            break
    widget.get_by_role("button", name="Record").click()
    page.wait_for_timeout(2500)
    widget.get_by_role("button", name="Stop recording").click()
    answered(page)


def test_an_m4a_from_a_phone(page, tmp_path):
    speech, rate = soundfile.read(SAMPLES / "even.ogg", dtype=np.float32)
    path = tmp_path / "memo.m4a"
    with av.open(path, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(speech[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    upload(page, path)
    answered(page)
    expect(page.get_by_text("memo.m4a", exact=True).first).to_be_visible()
    assert downloaded(page)[1]["duration_s"] == pytest.approx(len(speech) / rate, abs=0.2)


def test_a_broken_file_gets_a_sentence_and_the_page_goes_on(page, tmp_path):
    path = tmp_path / "<b>broken.wav"
    path.write_text("this is no sound at all")
    upload(page, path)
    alert = page.get_by_role("alert").filter(has_text="cannot be analysed")
    expect(alert).to_be_visible()
    assert "Traceback" not in page.content() and "encountered an error" not in page.content()
    open_sample(page, "Low and slow")
    expect(alert).to_have_count(0)


def test_two_people_at_once_do_not_see_each_others_clip(new_page, analyse_url, tmp_path):
    speech = (SAMPLES / "even.ogg").read_bytes()
    pages = {}
    for name in ("anna.ogg", "ben.ogg"):
        (tmp_path / name).write_bytes(speech)
        pages[name] = new_page(analyse_url)
        upload(pages[name], tmp_path / name)
    for name, page in pages.items():
        answered(page)
        other = "ben.ogg" if name == "anna.ogg" else "anna.ogg"
        assert name in page.content() and other not in page.content()
    third = new_page(analyse_url)
    expect(third.get_by_text("Nothing to analyse yet")).to_be_visible()


def test_while_a_new_file_is_analysed_the_old_answer_is_gone(page, tmp_path):
    speech, rate = soundfile.read(SAMPLES / "story.ogg", dtype=np.float32)
    soundfile.write(tmp_path / "long.wav", np.tile(speech, 8), rate)
    open_sample(page, "Low and slow")
    old = page.get_by_text("Low and slow (synthetic, espeak-ng)")
    expect(old.first).to_be_visible()
    upload(page, tmp_path / "long.wav")
    expect(page.get_by_text(re.compile("Reading the file|Looking for speech|Listening")).first).to_be_visible()
    expect(old).to_have_count(0, timeout=1000)
    assert page.get_by_role("button", name="Download JSON").count() == 0 or "4 min" in page.content()
    answered(page)


def test_noise_reduction_can_be_heard_before_and_after(page):
    open_sample(page, "Changing voice")
    page.get_by_text("Reduce steady noise").click()
    versions = page.locator(".st-key-player").get_by_role("radio")
    expect(versions).to_have_count(2)
    expect(page.get_by_role("radio", name="Noise reduced")).to_be_checked()
    page.get_by_role("radio", name="Original").check()
    expect(page.get_by_role("radio", name="Noise reduced")).not_to_be_checked()


def test_deleting_takes_the_clip_off_the_page_and_off_the_server(page, tmp_path):
    speech, rate = soundfile.read(SAMPLES / "even.ogg", dtype=np.float32)
    soundfile.write(tmp_path / "only_here.wav", speech[::-1], rate)  # what another session shows stays on the server
    upload(page, tmp_path / "only_here.wav")
    answered(page)
    picture = page.locator("img[src*='/media/']").evaluate("image => image.src")
    assert page.request.get(picture).ok
    page.get_by_role("button", name="Delete my audio").click()
    expect(page.get_by_text("Nothing to analyse yet")).to_be_visible()
    expect(slider(page)).to_have_count(0)
    page.wait_for_timeout(500)
    assert page.request.get(picture).status == 404


def test_the_keyboard_alone_reaches_a_sample_and_the_player(page):
    expect(page.get_by_role("tab", name="Record")).to_be_visible()
    _tab_to(page, "Record")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    _tab_to(page, "Low and slow")
    page.keyboard.press("Enter")
    answered(page)
    _tab_to(page, "Position in the recording")
    page.keyboard.press("End")
    end_s = position_s(page)
    page.keyboard.press("PageDown")
    assert end_s > 6 and position_s(page) == pytest.approx(end_s - 1)
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert position_s(page) == pytest.approx(0.1)
    page.keyboard.press("Space")
    page.wait_for_timeout(700)
    assert position_s(page) > 0.3


def _tab_to(page, name, most=90):
    """Press Tab until the element of that name has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => { let e = document.activeElement;
                       while (e.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
                       return e.getAttribute("aria-label") ?? e.innerText ?? ""; }"""
        )
        if focused.strip() == name:
            return
    raise AssertionError(f"{name!r} cannot be reached with the keyboard")


def test_nothing_scrolls_sideways_on_a_phone(new_page, analyse_url):
    page = new_page(analyse_url, viewport={"width": 390, "height": 844})
    expect(page.get_by_text("Nothing to analyse yet")).to_be_visible()
    assert _overflow(page) == []
    open_sample(page, "Changing voice")
    page.wait_for_timeout(1000)
    assert _overflow(page) == []


def _overflow(page):
    """Visible elements that reach over the right edge of the window; what is inside a chart or table is its affair."""
    return page.evaluate(
        """() => [...document.querySelectorAll("[data-testid=stMain] *")]
             .filter((e) => !(e instanceof SVGElement) && e.checkVisibility())
             .filter((e) => !e.parentElement.closest("[data-testid=stDataFrameResizable], [data-testid=stTable]"))
             .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
             .map((e) => `${e.tagName} ${e.className}`)"""
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_theme_of_the_system(new_page, analyse_url, scheme):
    page = new_page(analyse_url, color_scheme=scheme)
    open_sample(page, "Low and slow")
    colours = page.evaluate(
        """() => [getComputedStyle(document.querySelector("[data-testid=stApp]")).backgroundColor,
                  getComputedStyle(document.querySelector("h1")).color]"""
    )
    background, text = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours)
    assert (background < text) == (scheme == "dark")


def test_nothing_is_fetched_from_other_machines(new_page, app_url, analyse_url):
    page = new_page(analyse_url)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    open_sample(page, "Low and slow")
    page.wait_for_timeout(500)
    assert [url for url in asked if not url.startswith((app_url, "data:", "blob:"))] == []


def test_a_stretch_is_chosen_by_its_edges_and_kept_alone(page):
    open_sample(page, "Low and slow")
    whole = slider(page).get_attribute("aria-valuemax")
    box = slider(page).bounding_box()
    drag(page, box, 0.2, 0.6)
    drag(page, box, 0.6, 0.5)  # its end, by the handle
    page.get_by_role("button", name="Keep only this").click()
    expect(page.get_by_role("button", name=re.compile(r"^Use all \d"))).to_be_visible()
    expect(slider(page)).to_have_attribute("aria-valuemax", f"{0.3 * float(whole):.1f}")
    answered(page)
    expect(page.get_by_text("is analysed; times count from there")).to_be_visible()
    page.get_by_role("button", name=re.compile(r"^Use all \d")).click()
    expect(slider(page)).to_have_attribute("aria-valuemax", whole)


def test_pitch_and_level_can_be_laid_over_the_spectrogram(page):
    open_sample(page, "Low and slow")
    curves = page.locator(".st-key-player svg.curves")
    expect(curves).to_be_hidden()
    page.get_by_role("checkbox", name="pitch level").check()
    expect(curves).to_be_visible()
    drawn = curves.locator("path.pitch").bounding_box()
    picture = page.locator(".st-key-player img.mel").bounding_box()
    assert drawn["width"] > 0.5 * picture["width"]
    middle = drawn["y"] + drawn["height"] / 2
    assert picture["y"] < middle < picture["y"] + picture["height"] and drawn["height"] > 20
    assert re.search(r"Pitch \d+ Hz, mostly between", slider(page).get_attribute("aria-description"))
