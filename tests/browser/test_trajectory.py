"""The page "Trajectory" in a browser: twenty minutes, seek, loop by mouse and keyboard, TextGrid."""

import re

import numpy as np
import pytest
import soundfile
from playwright.sync_api import expect

from tests.browser.conftest import SAMPLES, drag
from tests.browser.test_record import _overflow, position_s, slider, upload
from tests.inference.test_writers import tiers

DURATION_S = 1200
MODELS = ("resonet", "random-forest")  # the second one is slow: there is something to stop


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    speech, rate = soundfile.read(SAMPLES / "story.ogg", dtype=np.float32)
    path = tmp_path_factory.mktemp("long") / "talk.wav"
    soundfile.write(path, np.resize(speech, DURATION_S * rate), rate)
    return path


def test_twenty_minutes_to_chart_seek_loop_and_textgrid(new_page, app_url, long):
    page = new_page(
        f"{app_url}/clip?view=over_time&smoothing=median&models=resonet&models=random-forest"
    )  # the second one is slow
    expect(page.get_by_text("Nothing to follow yet")).to_be_visible()
    upload(page, long)
    stop = page.locator(".st-key-stop button")
    stop.wait_for()
    page.wait_for_timeout(2000)
    stop.click()
    page.locator(".st-key-go-on button").wait_for()
    page.wait_for_timeout(2000)  # the chart is drawn anew when the listening stops: a click before that is lost

    areas = page.locator('[class*="st-key-trajectory-"] .js-plotly-plot').first  # a second one is for print
    box = areas.bounding_box()
    areas.click(position={"x": 3, "y": 60})
    expect(slider(page)).not_to_have_attribute("aria-valuenow", "0.0")
    assert 0 < position_s(page) < 3 * DURATION_S * 3 / box["width"]

    stage = slider(page).bounding_box()
    drag(page, stage, 0.25, 0.5)
    loop = page.get_by_role("button", name=re.compile("^Loop 5:0.* to 10:0"))
    expect(loop).to_have_attribute("aria-pressed", "true")
    assert position_s(page) == pytest.approx(DURATION_S / 4, abs=5)
    for key in ("l", "Escape"):
        slider(page).press(key)
        if key == "l":
            expect(loop).to_have_attribute("aria-pressed", "false")
    expect(loop).to_have_count(0)
    page.wait_for_timeout(1000)

    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download TextGrid").click()
    assert waiting.value.suggested_filename == "talk_emotion.TextGrid"
    found = tiers(waiting.value.path().read_text())
    tiers_of = [f"{kind} {name}" for name in MODELS for kind in ("emotion", "certainty")]
    assert list(found) == ["speech", *tiers_of] and found["emotion resonet"][-1][1] == DURATION_S


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
    page = new_page(f"{app_url}/clip?view=over_time", viewport={"width": 390, "height": 844})
    page.get_by_role("button", name="Open a sample").click()
    page.get_by_role("button", name="Download SRT").wait_for()
    assert _overflow(page) == []
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download SRT").click()
    assert waiting.value.suggested_filename.endswith(".srt")
    times_s = [time_s for subtitle in subtitles(waiting.value.path().read_text()) for time_s in subtitle]
    assert len(times_s) > 10 and times_s == sorted(times_s) and times_s[0] >= 0 and times_s[-1] <= 30.6
    stage = slider(page)
    for key in ("Home", "[", "ArrowRight", "ArrowRight", "ArrowRight", "]", "Space"):
        stage.press(key)
    page.wait_for_timeout(2500)
    assert position_s(page) < 1.2  # the loop is 0.9 s long
    box = stage.bounding_box()
    stage.click(position={"x": box["width"] / 2, "y": 80})
    expect(page.get_by_role("button", name=re.compile("^Loop "))).to_have_count(0)
    page.get_by_label("Speed").select_option("0.5")
    assert position_s(page) > 10
