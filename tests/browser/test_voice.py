"""The view "Voice" and one's own voice in a browser: two clips, a report without the server, enrolment that counts."""

import json

import numpy as np
import soundfile
from playwright.sync_api import expect

from tests.browser.conftest import PATIENCE_MS, SAMPLES
from tests.browser.steps import rerun, saved, settle

expect.set_options(timeout=PATIENCE_MS)
N_CLIPS, CLIP_S = 10, 1.5
SOUNDS = """() => { window.sounds = []; const play = Audio.prototype.play;
  Audio.prototype.play = function () { sounds.push(this.src); return play.call(this); }; }"""


def test_two_clips_side_by_side_and_a_report_that_needs_no_server(new_page, chromium, app_url, tmp_path):
    page = new_page(f"{app_url}/clip?sample=low_slow&view=voice", f"({SOUNDS})()")
    other = page.get_by_role("button", name="High, fast and loud", exact=True).last
    other.wait_for()
    rerun(page, other.click)
    for n_sounds, name in enumerate(("Play A", "Play B"), 1):  # each its own
        page.get_by_role("button", name=name, exact=True).click()
        page.wait_for_function(f"new Set(sounds.filter(Boolean)).size === {n_sounds}")
    expect(page.get_by_text("The largest difference is")).to_be_visible()

    expect(page.get_by_role("button", name="Download report of B")).to_be_visible()
    file = saved(page, "Download report of A")
    path = tmp_path / file.suggested_filename
    file.save_as(path)
    offline = chromium.browser.new_context(offline=True)
    report = offline.new_page()
    report.set_default_timeout(PATIENCE_MS)
    report.goto(path.as_uri())
    expect(report.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    report.locator("#timeline .js-plotly-plot").scroll_into_view_if_needed()
    report.evaluate("document.querySelector('audio.clip').play()")
    report.wait_for_function("document.querySelector('#timeline .js-plotly-plot').layout.shapes[0].x0 > 0.2")
    assert report.evaluate("document.querySelector('audio.clip').duration") > 1
    offline.close()


def test_an_enrolled_voice_changes_the_answer_and_is_exported(new_page, app_url, tmp_path):
    page = new_page(f"{app_url}/clip?sample=low_slow&model=whisper-light")  # a choice in the address hinders no button
    before = json.loads(saved(page, "Download JSON").path().read_text())
    speech, rate = soundfile.read(SAMPLES / "even.ogg", dtype=np.float32)
    for i in range(N_CLIPS):
        soundfile.write(tmp_path / f"{i}.wav", speech[: round(CLIP_S * rate)] * (1 - 0.09 * i), rate)
    rerun(page, page.get_by_role("button", name="My voice", exact=True).first.click)
    page.get_by_role("heading", name="My voice", exact=True).wait_for()
    files = page.locator("input[type=file]").first
    rerun(page, lambda: files.set_input_files(sorted(tmp_path.glob("*.wav"))))
    exported = json.loads(saved(page, "Export").path().read_text())
    assert (exported["n_clips"], exported["model"]) == (N_CLIPS, "whisper-light")
    rerun(page, page.locator(".st-key-use-voice label").first.click)
    rerun(page, page.get_by_role("link", name="Clip", exact=True).click)
    page.get_by_text("Recording and model in numbers").click()
    expect(page.get_by_text(f"Reference clips of this voice: {N_CLIPS}")).to_be_visible()
    after = json.loads(saved(page, "Download JSON").path().read_text())
    assert after["reference_clips"] == N_CLIPS and after["probabilities"] != before["probabilities"]


def test_a_sentence_that_is_skipped_while_it_is_recorded_is_not_in_the_voice(new_page, app_url):
    page = new_page(f"{app_url}/my_voice")
    recording = page.locator("button.record.on")
    page.get_by_text("Sentence 1 of 10").wait_for()
    page.get_by_role("button", name="Record", exact=True).wait_for()
    settle(page)
    page.get_by_role("button", name="Record", exact=True).click()
    recording.wait_for()
    rerun(page, page.get_by_role("button", name="Skip", exact=True).click)
    page.get_by_text("Sentence 2 of 10").wait_for()
    expect(recording).to_have_count(0, timeout=8_000)  # it would go on for 20 s, and end as this sentence
