"""With recordings of a corpus: the listening test by keys, and the first minute of a person, from Home on."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from ser_core.interpret.atlas import Atlas, available_atlases, load_atlas
from ser_core.interpret.embeddings import nearest_neighbours
from ser_core.interpret.projection import ProjectionConfig
from tests.browser.conftest import PATIENCE_MS, ROOT, served
from tests.browser.plots import ON_SCREEN, drawn
from tests.browser.steps import answered, eventually, overflow, rerun, settle
from tests.browser.test_map import DESK
from tests.make_corpus import voice, write_crema_d, write_wav

expect.set_options(timeout=PATIENCE_MS)
SPACE, MAP = "prosonet", ProjectionConfig("pca")
SHORT_S, LONG_S = 0.5, 30.0


def clip_by_itself(found: Atlas) -> tuple[str, list[float], list[str]]:
    """A clip with room around it on the map whose two nearest neighbours are of CREMA-D: id, place, neighbours."""
    places = found.maps[MAP].astype(float)
    low, high = np.quantile(places, [0.05, 0.95], axis=0)
    rows = np.flatnonzero([i.startswith("crema_d") for i in found.ids] & ((places > low) & (places < high)).all(1))
    room = nearest_neighbours(places, places[rows], 2).distance[:, -1]
    rows = rows[np.argsort(-room)][:100]
    for row, around in zip(rows, nearest_neighbours(found.embeddings, found.embeddings[rows], 3).index, strict=True):
        nearest = [str(found.ids[i]) for i in around if i != row][:2]
        if all(name.startswith("crema_d") for name in nearest):
            return str(found.ids[row]), places[row].tolist(), nearest
    raise AssertionError("no such clip")


@pytest.fixture
def corpora(tmp_path):
    """Recordings for a listening test, and those that the map plays; the last one does not end by itself."""
    if SPACE not in available_atlases():
        pytest.skip(f"no embeddings here: python -m scripts.export_embeddings {SPACE}")
    clip, _, nearest = clip_by_itself(load_atlas(SPACE))
    write_crema_d(tmp_path, ("1001",), ("DFA",))
    for i, (name, duration_s) in enumerate(zip((clip, *nearest), (SHORT_S, SHORT_S, LONG_S), strict=True)):
        write_wav(tmp_path / "AudioWAV" / f"{name.split('/')[1]}.wav", voice(150 + 20 * i, i, duration_s=duration_s))
    return tmp_path


def test_the_listening_test_by_keys_then_the_first_minute(new_page, corpora):
    with served(ROOT / "app.py", SER_CORPORA=str(corpora)) as url:
        page = new_page(f"{url}/listening_test", viewport=DESK)
        page.get_by_role("button", name="Start").wait_for()
        rerun(page, page.get_by_role("button", name="Start").click)
        page.get_by_role("heading", name="Clip 1 of").wait_for()
        rerun(page, lambda: page.keyboard.press("3"))
        page.get_by_role("button", name="Next clip").wait_for()
        rerun(page, lambda: page.keyboard.press("n"))
        page.get_by_role("heading", name="Clip 2 of").wait_for()
        record_and_ask_why(page, url)
        walk_the_map(page)
        open_by_link(new_page, url)


def record_and_ask_why(page, url: str) -> None:
    """From Home on: record, the answer, why, listen."""
    page.goto(url)
    page.get_by_role("button", name="Record", exact=True).wait_for()
    settle(page)
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_text(re.compile(r"^([3-9]|\d\d)\.\d s$"))).to_be_visible()
    page.locator("button.record.on").click()
    page.wait_for_url(re.compile("/clip"))
    expect(page.locator(".answer-hero h2")).to_have_count(1)
    answered(page)
    rerun(page, page.locator(".st-key-next-why button").click)
    page.wait_for_url(re.compile("view=why"))
    listen = page.get_by_role("button", name=re.compile("relevant part", re.I)).first
    listen.wait_for()
    rerun(page, listen.click)
    stop = page.locator(".remote .stop")
    expect(stop).to_be_visible()
    stop.press("Enter")
    expect(stop).to_be_disabled()
    expect(stop).to_be_focused()  # the next key goes on from here


def walk_the_map(page) -> None:
    """The pointer shows the spectrogram; A plays the neighbours one after the other, Escape ends that."""
    clip, place, (_, second) = clip_by_itself(load_atlas(SPACE))
    rerun(page, page.get_by_role("radio", name="Map").click)
    page.wait_for_url(re.compile("view=map"))
    expect(page.get_by_role("heading", name="Your recording")).to_be_visible()
    page.get_by_role("combobox", name="Space").click()
    rerun(page, page.get_by_role("option", name=SPACE, exact=True).click)
    rerun(page, page.get_by_role("radio", name="PCA").click)
    page.wait_for_url(re.compile("map=PCA"))
    page.get_by_text("have its emotion").wait_for()
    plot = page.locator(f"[class*=st-key-map-{SPACE}-] .js-plotly-plot")
    drawn(page, plot)
    (at,) = plot.evaluate(ON_SCREEN, [place])
    page.mouse.move(*at)
    page.locator(".card").get_by_text(clip).wait_for()
    expect(page.locator(".card img")).to_be_visible()
    rerun(page, lambda: page.mouse.click(*at))
    card, row = page.locator(".st-key-map-clip"), page.get_by_role("button", name="Play all")
    card.get_by_text(clip).wait_for()
    row.wait_for()
    rerun(page, lambda: page.keyboard.press("a"))
    card.get_by_text(second).wait_for()  # after the first one, which is short
    expect(page.locator(".remote .name")).to_have_text(second)
    settle(page)
    page.keyboard.press("Escape")
    row.wait_for()
    expect(page.locator(".remote .stop")).to_be_disabled()


def open_by_link(new_page, url: str) -> None:
    """A link opens the view again, also after a reload."""
    again = new_page(f"{url}/clip?sample=1006_IOM&view=models&model=prosonet")
    expect(again.get_by_role("radio", name="Models")).to_be_checked()
    expect(again.get_by_role("heading", name="CREMA-D, female actor 1006")).to_be_visible()
    settle(again)
    again.reload()
    expect(again.get_by_role("radio", name="Models")).to_be_checked()
    assert eventually(again, lambda: overflow(again) == [])
