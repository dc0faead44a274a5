"""Ways through the program, from one page to the next: a clip that is compared and explained, and a folder of files."""

import csv

import numpy as np
import soundfile
from playwright.sync_api import expect

from pages.workspace.views import LATE_S
from tests.browser.conftest import PATIENCE_MS, SAMPLES
from tests.browser.steps import downloaded, listed, rerun, saved, settle
from tests.make_corpus import voice

expect.set_options(timeout=PATIENCE_MS)
N_FILES, N_BROKEN = 30, 3


def test_the_views_agree_on_a_clip(new_page, app_url):
    page = new_page(f"{app_url}/clip?sample=1006_IOM")
    listed(page)  # the first test of its server
    _, answer = downloaded(page)
    rerun(page, page.get_by_role("radio", name="Models").click)
    page.locator(".st-key-aligned").wait_for()
    _, compared = downloaded(page)
    by_model = {row["model"]: row for row in compared["predictions"]}
    assert len(by_model) > 2 and by_model[answer["model"]]["probabilities"] == answer["probabilities"]
    assert by_model[answer["model"]]["version"] == answer["version"] != ""


def test_the_models_compared_on_a_clip_are_not_run_on_many_files(new_page, app_url):
    """Sixteen by default, which a thousand files would wait for."""
    page = new_page(f"{app_url}/clip?sample=1006_IOM&model=prosonet&view=models")
    page.locator(".st-key-aligned").wait_for()
    for name in ("Map", "Answer"):
        rerun(page, page.get_by_role("radio", name=name).click)
    rerun(page, page.get_by_role("link", name="Many files").click)
    page.locator("input[type=file]").first.set_input_files(SAMPLES / "even.ogg")
    page.get_by_role("button", name="Download CSV").wait_for()
    settle(page)
    assert "models=" not in page.url


def test_back_leads_from_view_to_view(new_page, app_url):
    page = new_page(f"{app_url}/clip?sample=1006_IOM&model=prosonet")
    for name in ("Over time", "Voice", "Map"):
        rerun(page, page.get_by_role("radio", name=name).click)
        page.wait_for_url(f"**view={name.lower().replace(' ', '_')}*")
    page.wait_for_timeout(1000 * LATE_S)
    for name in ("Voice", "Over time", "Answer"):
        page.evaluate("history.back()")
        expect(page.get_by_role("radio", name=name)).to_be_checked()
        settle(page)


def test_a_folder_of_thirty_files_and_three_broken_ones_becomes_a_table(new_page, app_url, tmp_path):
    page = new_page(f"{app_url}/many_files")
    names = [f"{1001 + i}_DFA_{code}_XX.wav" for i in range(6) for code in ("ANG", "DIS", "FEA", "HAP", "SAD")]
    for i, name in enumerate(names):
        soundfile.write(tmp_path / name, np.tile(voice(110 + 8 * i, i), 2), 16_000)
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("this is no sound")
    (tmp_path / "half.ogg").write_bytes((SAMPLES / "even.ogg").read_bytes()[:200])
    page.locator("input[webkitdirectory]").set_input_files(tmp_path)
    page.get_by_role("button", name="Download CSV").wait_for()  # of the first ones
    expect(page.locator(".st-key-go, .st-key-stop")).to_have_count(0)
    rows = list(csv.DictReader(saved(page, "Download CSV").path().read_text().splitlines()))
    assert len(names) == N_FILES and {row["file"] for row in rows} == {f"{tmp_path.name}/{name}" for name in names}
    expect(page.get_by_text(f"Files that cannot be read: {N_BROKEN}")).to_be_visible()
    expect(page.get_by_text("Against the labels, unseen speakers first")).to_be_visible()
    settle(page)
    page.locator("h1").click()
    rerun(page, lambda: page.keyboard.press("ArrowDown"))
    page.locator("audio").wait_for()
    rerun(page, page.get_by_role("radio", name="Labels").click)
    for title in ("What gives the label away?", "Doubtful labels", "Duplicates"):
        expect(page.get_by_role("heading", name=title)).to_be_visible()


def test_two_people_at_once_have_a_table_each(new_page, app_url, tmp_path):
    pages = {}
    for i, name in enumerate(("anna.wav", "ben.wav")):
        soundfile.write(tmp_path / name, np.tile(voice(110 + 60 * i, i), 2), 16_000)
        pages[name] = new_page(f"{app_url}/many_files")
        pages[name].locator("input[type=file]").first.set_input_files(tmp_path / name)
    for name, page in pages.items():
        page.bring_to_front()
        (row,) = csv.DictReader(saved(page, "Download CSV").path().read_text().splitlines())
        (other,) = set(pages) - {name}
        assert row["file"] == name and other not in page.content()
