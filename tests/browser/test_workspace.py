"""The workspace in a real browser: microphone, player, sounds, downloads, keyboard, small screens, themes."""

import re

import av
import numpy as np
import pytest
import soundfile
from playwright.sync_api import expect

from tests.browser.conftest import SAMPLES, drag, served
from tests.browser.steps import (
    answered,
    downloaded,
    eventually,
    open_inputs,
    open_sample,
    overflow,
    position_s,
    rerun,
    settle,
    slider,
    upload,
    upload_at_once,
)

RECORDER_ALONE = """
import sys
sys.path.insert(0, {root!r})
import streamlit as st
from pages.ui.components.recorder import recorder
from ser_core import read_audio

def arrived(wav, notes):
    st.session_state.text = f"{{read_audio(wav).duration_s:.1f}} s arrived"

recorder(key="raw", max_s=int(st.query_params["max_s"]), on_clip=arrived)
st.text(st.session_state.get("text", ""))
"""
PLAYER_LATE = """
import sys, time
from dataclasses import asdict
sys.path.insert(0, {root!r})
import streamlit as st
from pages.ui.components.player import Cell, player, sound_id, track
from pages.ui.components.remote import remote
from ser_core import load_audio

tracks = [track("Clip", load_audio({sound!r}), "clip")]
place = st.container()
cells = [Cell(0.0, 2.0, "happy", "+", "#E6A100", 1.0, "happy")]
asked = {{"id": 1, "start_s": 1.0, "end_s": 1.6}}
remote(key="remote", request=asked, cells=[*map(asdict, cells)], sound=sound_id(tracks), speech=[(0.5, 2.0)])
time.sleep(2)
with place:
    player(tracks, None, [], "player", print)
"""
HEIGHT = "element => element.offsetHeight"
FAULTS = {
    "NotAllowedError": "blocked the microphone",
    "NotFoundError": "No microphone was found",
    "OverconstrainedError": "chosen microphone is gone",
    "NotReadableError": "Another program",
    "SomethingElse": "could not be opened",
}


@pytest.fixture
def clip_url(app_url):
    return f"{app_url}/clip?model=prosonet"  # the fast one


@pytest.fixture
def page(new_page, clip_url):
    return new_page(clip_url)


def test_from_the_microphone_to_the_answer_the_player_and_the_export(page):
    page.get_by_role("button", name="Record", exact=True).wait_for()
    settle(page)
    page.get_by_role("button", name="Record", exact=True).press("Enter")
    expect(page.get_by_role("meter")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^([3-9]|\d\d)\.\d s$"))).to_be_visible()
    drawn = "c => c.getContext('2d').getImageData(0, 0, 600, 96).data.some(v => v > 99)"
    assert eventually(page, lambda: page.locator("canvas.mel").evaluate(drawn))
    page.keyboard.press("Enter")  # the same button stops, and has kept the focus
    answered(page)
    expect(page.locator(".answer-hero h2")).to_have_count(1)

    name, content = downloaded(page)
    assert name == "Your_recording_emotion.json"
    assert 3 < content["duration_s"] < 60 and content["speech_s"] > 1  # a busy machine is late to stop it
    assert content["notes"] == []  # no processing was kept on, nothing was repaired

    slider(page).click(position={"x": slider(page).bounding_box()["width"] / 2, "y": 60})
    assert eventually(page, lambda: position_s(page) == pytest.approx(content["duration_s"] / 2, abs=0.2))
    page.get_by_role("button", name="Play").first.click()
    assert eventually(page, lambda: position_s(page) > content["duration_s"] / 2 + 0.3)


def test_a_player_that_is_mounted_last_shows_and_plays_what_was_handed_over_before(new_page, tmp_path, request):
    script = tmp_path / "player_late.py"
    sound = str(SAMPLES / "low_slow.ogg")
    script.write_text(PLAYER_LATE.format(root=str(request.config.rootpath), sound=sound))
    with served(script) as url:
        page = new_page(url)
        expect(page.locator(".player .speech > *")).to_have_count(1)
        expect(page.locator(".player .names")).to_contain_text("happy")
        expect(slider(page)).to_have_attribute("aria-valuenow", re.compile(r"^1\."))


def test_the_recorder_stops_by_itself(new_page, tmp_path, request):
    """After the longest time, or after silence: the analyser is made to hear some after two seconds."""
    script = tmp_path / "recorder_alone.py"
    script.write_text(RECORDER_ALONE.format(root=str(request.config.rootpath)))
    silence = """const real = AudioWorkletNode; let started = 0;
        window.AudioWorkletNode = class extends real { constructor(...all) { super(...all); started = performance.now();
          const gain = new GainNode(this.context); this.quiet = gain; } };
        const connect = AudioNode.prototype.connect;
        AudioNode.prototype.connect = function (to, ...rest) {
          if (!(to instanceof AnalyserNode)) return connect.call(this, to, ...rest);
          const gain = new GainNode(this.context);
          gain.gain.setValueAtTime(1, 0);
          gain.gain.setValueAtTime(0, this.context.currentTime + 2);
          connect.call(this, gain);
          return connect.call(gain, to, ...rest);
        };"""
    with served(script) as url:
        for max_s, before in ((2, ""), (60, silence)):
            page = new_page(f"{url}?max_s={max_s}", before=before)
            page.get_by_role("button", name="Record", exact=True).wait_for()
            height = page.locator(".recorder .row").evaluate(HEIGHT)
            page.get_by_role("button", name="Record", exact=True).click()
            expect(page.get_by_role("combobox", name="Microphone")).to_be_visible()
            assert page.locator(".recorder .row").evaluate(HEIGHT) == height  # nothing below moves
            expect(page.get_by_text(re.compile(r"^([2-9]|[1-4]\d)\.\d s arrived"))).to_be_visible()
            expect(page.get_by_role("button", name="Record", exact=True)).to_be_visible()


def test_a_microphone_fault_is_explained_and_the_page_goes_on(new_page, clip_url):
    refuse = """const faults = %s;
        navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', faults.shift()); };"""
    page = new_page(clip_url, before=refuse % list(FAULTS))
    for words in FAULTS.values():
        page.get_by_role("button", name="Record", exact=True).click()
        expect(page.get_by_text(words)).to_be_visible()
    page.evaluate("Object.defineProperty(window, 'isSecureContext', { value: false })")
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_text("http://localhost")).to_be_visible()
    open_sample(page, "Low and slow")


def test_the_chosen_microphone_and_no_stop_hold_for_the_next_recording(new_page, clip_url):
    spy = """const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        window.asked = [];
        navigator.mediaDevices.getUserMedia = (how) => { asked.push(how.audio.deviceId?.exact); return ask(how); };"""
    page = new_page(clip_url, before=spy)
    record, stops = page.get_by_role("button", name="Record", exact=True), page.get_by_label("Stop after silence")
    record.wait_for()
    settle(page)
    stops.uncheck()
    record.click()
    devices = page.get_by_role("combobox", name="Microphone")
    expect(devices).to_be_visible()
    other = devices.locator("option").last.get_attribute("value")
    devices.select_option(other)
    page.wait_for_function("other => asked.length === 2 && asked[1] === other", arg=other)  # at once
    expect(page.get_by_text(re.compile(r"^([2-9]|\d\d)\.\d s$"))).to_be_visible()
    page.locator("button.record.on").click()
    answered(page)
    settle(page)
    open_inputs(page)
    record.wait_for()
    settle(page)
    expect(devices).to_have_value(other)
    expect(stops).not_to_be_checked()
    record.click()
    page.wait_for_function("other => asked.length === 3 && asked[2] === other", arg=other)


def test_a_person_who_leaves_before_the_browser_asks_is_not_recorded(new_page, clip_url):
    hold = """const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        const allowed = new Promise((allow) => { window.allow = () => allow(); });
        navigator.mediaDevices.getUserMedia = async (how) => {
          window.asked = true;
          await allowed;
          const stream = await ask(how);
          window.track = stream.getAudioTracks()[0];
          return stream; };"""
    page = new_page(clip_url, before=hold)
    page.get_by_role("button", name="Record", exact=True).wait_for()
    settle(page)
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_function("window.asked")
    page.get_by_role("link", name="Learn", exact=True).click()
    page.get_by_role("heading", name="Learn", exact=True).wait_for()
    settle(page)
    page.evaluate("allow()")
    page.wait_for_function("window.track?.readyState === 'ended'", timeout=20_000)  # a recording would go on for 60 s


def test_the_browsers_own_recorder_and_what_draws_charts_before_the_first_one(page):
    page.wait_for_function("() => performance.getEntriesByType('resource').some(e => /PlotlyChart/.test(e.name))")
    assert page.locator(".js-plotly-plot").count() == 0
    page.get_by_text("The browser's own recorder").wait_for()
    settle(page)  # a click that lands while the page is drawn again is lost
    page.get_by_text("The browser's own recorder").click()
    widget = page.get_by_test_id("stAudioInput")
    widget.get_by_role("button", name="Record").click()
    expect(widget.get_by_text(re.compile(r"^00:(0[2-9]|[1-5]\d)$"))).to_be_visible()
    widget.get_by_role("button", name="Stop recording").click()
    answered(page)


def test_files_of_all_kinds_and_delete(page, tmp_path):
    """A broken one gets a sentence, one from a phone an answer; a deleted one is off the page and the server."""
    broken, memo = tmp_path / "<b>broken.wav", tmp_path / "memo.m4a"
    broken.write_text("this is no sound at all")
    duration_s = write_m4a(memo)
    upload(page, broken)
    alert = page.get_by_role("alert").filter(has_text="cannot be analysed")
    expect(alert).to_be_visible()
    settle(page)
    expect(page.get_by_role("tab", name="Upload")).to_have_attribute("aria-selected", "true")
    assert "Traceback" not in page.content() and "encountered an error" not in page.content()
    upload(page, memo)
    answered(page)
    expect(alert).to_have_count(0)
    expect(page.get_by_role("heading", name="memo.m4a")).to_be_visible()
    expect(page).to_have_title("memo.m4a")
    assert downloaded(page)[1]["duration_s"] == pytest.approx(duration_s, abs=0.2)

    settle(page)  # while a page is drawn again its files may be missing for a moment
    picture = page.locator("img.mel").first.evaluate("image => image.src")
    assert page.request.get(picture).ok
    rerun(page, page.get_by_role("button", name="Delete", exact=True).click)
    expect(page.get_by_role("heading", name="Clip", exact=True)).to_be_visible()
    expect(page.get_by_test_id("stButtonGroup")).to_have_count(0)  # views of nothing
    expect(slider(page)).to_have_count(0)
    expect(page).to_have_title("Clip")  # not the name of the deleted one
    assert eventually(page, lambda: page.request.get(picture).status == 404)


def write_m4a(path):
    """Speech as a phone records it; its duration in seconds."""
    speech, rate = soundfile.read(SAMPLES / "even.ogg", dtype=np.float32)
    speech = speech[::-1].copy()  # what another session shows stays on the server
    with av.open(path, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(speech[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return len(speech) / rate


def test_two_people_at_once_do_not_see_each_others_clip(new_page, clip_url, tmp_path):
    speech = (SAMPLES / "even.ogg").read_bytes()
    pages = {}
    for name in ("anna.ogg", "ben.ogg"):
        (tmp_path / name).write_bytes(speech)
        pages[name] = new_page(clip_url)
        upload(pages[name], tmp_path / name)
    for name, page in pages.items():
        page.bring_to_front()
        answered(page)
        other = "ben.ogg" if name == "anna.ogg" else "anna.ogg"
        assert name in page.content() and other not in page.content()
    expect(new_page(clip_url).get_by_role("heading", name="Clip", exact=True)).to_be_visible()


def test_while_a_new_file_is_analysed_the_old_answer_is_gone(page, tmp_path):
    speech, rate = soundfile.read(SAMPLES / "story.ogg", dtype=np.float32)
    soundfile.write(tmp_path / "long.wav", np.tile(speech, 8), rate)
    open_sample(page, "Low and slow")
    upload(page, tmp_path / "long.wav")
    expect(page.get_by_role("heading", name="Low and slow")).to_have_count(0)
    exported = page.get_by_role("button", name="Download JSON")
    assert eventually(page, lambda: exported.count() == 0 or "4 min" in page.content())
    answered(page)
    expect(page.get_by_role("heading", name="long.wav")).to_be_visible()
    soundfile.write(tmp_path / "next.wav", np.tile(speech, 10), rate)
    upload_at_once(page, tmp_path / "next.wav")  # in the place of the other, at once: the page is still being drawn
    expect(page.get_by_role("heading", name="next.wav")).to_be_visible()


def test_the_player_trims_loops_shows_curves_and_versions(page):
    open_sample(page, "Low and slow")
    settle(page)
    curves = page.locator(".st-key-player svg.curves")
    expect(curves).to_be_hidden()
    page.get_by_role("checkbox", name="pitch level").first.check()
    expect(curves).to_be_visible()
    drawn, picture = curves.locator("path.pitch").bounding_box(), page.locator("img.mel").first.bounding_box()
    middle = drawn["y"] + drawn["height"] / 2
    assert drawn["width"] > 0.5 * picture["width"] and picture["y"] < middle < picture["y"] + picture["height"]
    assert re.search(r"Pitch \d+ Hz, mostly between", slider(page).get_attribute("aria-description"))

    whole, box = slider(page).get_attribute("aria-valuemax"), slider(page).bounding_box()
    drag(page, box, 0.2, 0.6)
    drag(page, box, 0.6, 0.5)  # its end, by the handle
    rerun(page, page.get_by_role("button", name="Keep only this").dblclick)  # as many do: it is cut once
    expect(page.get_by_role("button", name=re.compile(r"Use all \d"))).to_be_visible()
    expect(slider(page)).to_have_attribute("aria-valuemax", f"{0.3 * float(whole):.1f}")
    answered(page)
    expect(page.get_by_text("is analysed; times count from there")).to_be_visible()
    rerun(page, page.get_by_role("button", name=re.compile(r"Use all \d")).click)
    expect(slider(page)).to_have_attribute("aria-valuemax", whole)

    page.locator(".st-key-settings button").click()
    rerun(page, page.get_by_text("Reduce steady noise").click)
    expect(page.locator(".st-key-player").get_by_role("radio")).to_have_count(2)
    expect(page.get_by_role("radio", name="Noise reduced")).to_be_checked()


def test_the_keyboard_plays_moves_and_labels(page):
    expect(page.get_by_role("tab", name="Record")).to_be_visible()
    settle(page)
    _tab_to(page, "Record")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    _tab_to(page, "Low and slow")
    rerun(page, lambda: page.keyboard.press("Enter"))
    answered(page)
    _tab_to(page, "Position in the recording")
    page.keyboard.press("End")
    assert eventually(page, lambda: position_s(page) > 6)
    end_s = position_s(page)
    page.keyboard.press("PageDown")
    assert eventually(page, lambda: position_s(page) == pytest.approx(end_s - 1))
    page.keyboard.press("Home")
    page.evaluate("document.activeElement.shadowRoot?.activeElement?.blur(); document.activeElement.blur()")
    page.keyboard.press("ArrowRight")  # of the page: nothing has the focus
    assert eventually(page, lambda: position_s(page) == pytest.approx(0.1))
    page.keyboard.press("Space")
    assert eventually(page, lambda: position_s(page) > 0.3)
    page.keyboard.press("4")
    expect(page.get_by_text(re.compile("Your label:.*sad"))).to_be_visible()


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


def test_only_one_sound_plays_and_a_part_ends(page):
    with page.expect_request(lambda request: request.url.endswith(".wav")) as asked:
        open_sample(page, "Low and slow")
    sound = asked.value.url
    settle(page)
    page.evaluate("window.dispatchEvent(new CustomEvent('ser:play', { detail: { start_s: 1, end_s: 1.6 } }))")
    assert eventually(page, lambda: position_s(page) >= 1.5)
    expect(page.get_by_role("button", name="Play").first).to_be_visible()
    assert position_s(page) < 4  # on a busy machine it ends late
    page.get_by_role("button", name="Play").first.click()
    page.evaluate("url => window.dispatchEvent(new CustomEvent('ser:play', { detail: { url, name: 'other' } }))", sound)
    expect(page.get_by_text("other", exact=True)).to_be_visible()
    page.get_by_role("button", name="Play").first.click()
    expect(page.get_by_text("other", exact=True)).to_be_hidden()


def test_on_a_phone_the_answer_is_on_the_first_screen_and_the_menu_closes(new_page, app_url):
    page = new_page(f"{app_url}/clip?sample=1006_IOM&model=prosonet", viewport={"width": 390, "height": 844})
    hero = page.locator(".answer-hero h2")
    expect(hero).to_have_count(1)
    answered(page)
    settle(page)
    assert hero.bounding_box()["y"] < 600 and eventually(page, lambda: overflow(page) == [])
    page.get_by_test_id("stMain").evaluate("e => e.scrollTo(0, 700)")
    assert eventually(page, lambda: 0 <= slider(page).bounding_box()["y"] < 400)  # the player stays in sight
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name="Learn").click()
    page.wait_for_url(re.compile("/learn"))
    page.wait_for_function("() => document.querySelector('[data-testid=stSidebar]').getBoundingClientRect().right <= 0")


def test_an_old_address_leads_to_the_view(new_page, app_url):
    page = new_page(f"{app_url}/compare_models?sample=low_slow&model=prosonet")
    page.wait_for_url(re.compile("/clip.*view=models"))
    expect(page.get_by_role("radio", name="Models")).to_be_checked()
    open_inputs(page)
    expect(page.get_by_role("tab", name="Upload")).to_be_visible()
