"""The view "Over time" in a browser: an hour, zoom, a segment plays, the player's loop, TextGrid."""

import re

import numpy as np
import pytest
import soundfile
from playwright.sync_api import expect

from tests.browser.conftest import PATIENCE_MS, SAMPLES, drag
from tests.browser.steps import eventually, overflow, position_s, saved, settle, slider, upload
from tests.inference.test_writers import tiers

expect.set_options(timeout=PATIENCE_MS)
DURATION_S = 3600


@pytest.fixture(scope="module")
def hour(tmp_path_factory):
    speech, rate = soundfile.read(SAMPLES / "story.ogg", dtype=np.float32)
    path = tmp_path_factory.mktemp("long") / "talk.wav"
    soundfile.write(path, np.resize(speech, DURATION_S * rate), rate)
    return path


def test_an_hour_to_zoom_segment_loop_and_textgrid(new_page, app_url, hour):
    page = new_page(f"{app_url}/clip?view=over_time&smoothing=median&timeline-models=resonet")
    upload(page, hour)
    slider(page).wait_for(timeout=PATIENCE_MS)  # the player is there before speech is detected
    expect(page.get_by_text("Detecting speech")).to_be_visible()
    page.locator(".st-key-stop button").click(timeout=3 * PATIENCE_MS)
    page.locator(".st-key-go-on button").wait_for()
    expect(page.locator(".player .speech i").nth(100)).to_be_attached()
    settle(page)
    for _ in range(9):
        page.get_by_role("button", name="Zoom in").click()
    shown = page.locator(".timeline .span")
    expect(shown).to_contain_text(" to ")
    timeline = page.get_by_role("slider", name="Segment")
    box = timeline.bounding_box()
    page.mouse.move(box["x"] + 400, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 420, box["y"] + 100, steps=4)  # half an hour is not analysed: back to the beginning
    page.mouse.up()
    whole = page.get_by_role("button", name="All", exact=True)
    whole.click()
    expect(shown).to_have_text("")
    expect(whole).to_be_disabled()
    expect(whole).to_be_focused()  # the next key goes on from here

    timeline.press("ArrowRight")  # the first segment
    expect(timeline).to_have_attribute("aria-valuetext", re.compile("^0:0"))
    expect(slider(page)).not_to_have_attribute("aria-valuenow", "0.0")
    assert position_s(page) < 30
    timeline.press("ArrowRight")
    expect(timeline).to_have_attribute("aria-valuenow", "1")
    timeline.click(position={"x": 3, "y": 100})
    assert eventually(page, lambda: position_s(page) < 3 * DURATION_S * 4 / box["width"])

    stage = slider(page).bounding_box()
    drag(page, stage, 0.25, 0.5)
    loop = page.get_by_role("button", name=re.compile("^Loop 15:0.* to 30:0"))
    expect(loop).to_have_attribute("aria-pressed", "true")
    assert eventually(page, lambda: position_s(page) == pytest.approx(DURATION_S / 4, abs=15))
    slider(page).press("Escape")
    expect(loop).to_have_count(0)

    file = saved(page, "Download TextGrid")
    assert file.suggested_filename == "talk_over_time.TextGrid"
    found = tiers(file.path().read_text())
    assert list(found) == ["speech", "emotion", "confidence"] and found["emotion"][-1][1] == DURATION_S


def subtitles(srt: str) -> list[tuple[float, float]]:
    """Where each one begins and ends; they are numbered, and nothing else is in the file."""
    found, time = [], r"(\d\d):([0-5]\d):([0-5]\d),(\d{3})"
    for number, block in enumerate(srt.removesuffix("\n\n").split("\n\n"), 1):
        match = re.fullmatch(rf"{number}\n{time} --> {time}\n[^\n]+", block)
        assert match, block
        hours, minutes, seconds, thousandths = np.array(match.groups(), int).reshape(2, 4).T
        found.append(tuple(3600 * hours + 60 * minutes + seconds + thousandths / 1000))
    return found


def test_a_loop_set_by_keys_repeats_and_a_click_outside_ends_it(new_page, app_url):
    page = new_page(f"{app_url}/clip?view=over_time&sample=story", viewport={"width": 390, "height": 844})
    file = saved(page, "Download SRT")
    assert eventually(page, lambda: overflow(page) == [])
    assert file.suggested_filename.endswith(".srt")
    times_s = [time_s for subtitle in subtitles(file.path().read_text()) for time_s in subtitle]
    assert len(times_s) > 10 and times_s == sorted(times_s) and times_s[0] >= 0 and times_s[-1] <= 30.6
    stage = slider(page)
    for key in ("Home", "[", "ArrowRight", "ArrowRight", "ArrowRight", "]", "Space"):
        stage.press(key)
    seen_s = [position_s(page)]
    assert eventually(page, lambda: seen_s.append(position_s(page)) or seen_s[-1] < seen_s[-2])  # back at its begin
    assert max(seen_s) < 10  # the loop is 0.9 s long, and a busy machine late
    box = stage.bounding_box()
    stage.click(position={"x": box["width"] / 2, "y": 80})
    expect(page.get_by_role("button", name=re.compile("^Loop "))).to_have_count(0)
    assert eventually(page, lambda: position_s(page) > 10)


def test_a_finger_is_told_what_fingers_do(app_url, chromium):
    phone = chromium.browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = phone.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{app_url}/clip?sample=1006_IOM&view=over_time&timeline-models=resonet")
    expect(page.locator(".timeline .readout")).to_contain_text("Tap to play")
    phone.close()
