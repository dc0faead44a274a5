"""Measures how long a person waits for the pages, in a real browser on this machine.

python -m scripts.bench.page_times [--json FILE] [--minutes 10]

Needs requirements-dev.txt and chromium. Run it when the machine does nothing else: the load it found is printed too.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from scripts.bench.benchmark.speed import speech
from scripts.bench.map import frames_while_dragged
from scripts.bench.server import browser_with_microphone, running_server
from scripts.common.flags import command_parser, writable_path
from ser_core import paths
from ser_core.audio import SAMPLE_RATE, read_audio
from ser_core.models import available_models, checkpoint_folder

PATIENCE_MS = 180_000
PAUSE_MS = 500
SMALL_BYTES = 10e6  # of weights: the models that predict at once on two cores
CLIP_S, MICROPHONE_S = 3.0, 60.0
N_ZOOMS = 6  # of the timeline
GOALS = {
    "start of the server to the first page, files cached [s]": 4,
    "page change, median [s]": 0.15,
    "page change, slowest [s]": 0.5,
    "answer to a recording of 3 s, from stop to the first one on the screen [s]": 0.5,
    "view Map of a clip, from the click to the map [s]": 0.5,
    "small models on a 3-s clip, from the upload to all predictions [s]": 1,
    "long file, the player [s]": None,
    "long file, first result [s]": 1,
    "long file, all of it with the hop that is shown [s]": 8,
    "long file, all of it with the finest hop [s]": None,
    "long file, frames a second while the timeline is dragged": None,  # 30 at least
}
OVER = "!document.querySelector('.st-key-stop')"
EVERY_SECOND = r"/All of it is analysed every (1|0\.5) s/"  # text of the page while the windows in between follow


def settle(page) -> None:
    """Until the server has nothing more to draw."""
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", state="attached")


def first_page(browser) -> float:
    started = time.perf_counter()
    with running_server() as (url, _):
        page = browser.new_page()
        page.goto(url)
        page.get_by_text("Intended use and limits").wait_for(timeout=PATIENCE_MS)
        settle(page)
        took_s = time.perf_counter() - started
        page.close()
    return took_s


CHANGE = """async ([link, before]) => {
    const drawn = () => {
        const title = document.querySelector('h1')?.innerText
        const state = document.querySelector('[data-testid=stApp]').dataset.testScriptState
        return title && title != before && state == 'notRunning'
    }
    const frame = () => new Promise(requestAnimationFrame)
    const started = performance.now()
    document.querySelectorAll('[data-testid=stSidebarNavLink]')[link].click()
    do await frame(); while (!drawn())
    await frame()
    return performance.now() - started
}"""
"""In the page: clicks a link and waits for all of the new page; in milliseconds."""


def page_changes(page, url: str) -> dict[str, float]:
    """Seconds from the click to the complete page, by title, when each page was open before."""
    page.goto(url)
    titles = page.get_by_test_id("stSidebarNavLink")
    titles.nth(1).wait_for()
    settle(page)
    found = {}
    for _ in range(2):  # the first round imports and reads what the pages need
        for i in (*range(1, titles.count()), 0):
            title = titles.nth(i).inner_text().split("\n")[-1]  # an icon is text too
            found[title] = page.evaluate(CHANGE, [i, page.locator("h1").first.inner_text()]) / 1000
            page.wait_for_timeout(PAUSE_MS)  # a person looks at it
    return found


def answer_after_stop(page, url: str) -> float:
    """Seconds from the end of a recording to the first answer; the second one counts: the first loads the models."""
    for _ in range(2):
        page.goto(url)
        page.get_by_role("button", name="Record", exact=True).click()
        page.locator("button.record.on").wait_for()
        page.wait_for_timeout(1000 * CLIP_S)
        started = time.perf_counter()
        page.locator("button.record.on").click()
        page.locator(".answer-hero h2").wait_for()
        took_s = time.perf_counter() - started
        page.get_by_role("button", name="Download JSON").wait_for()
        settle(page)
    return took_s


def map_after_click(page) -> float:
    """Seconds to the map of the clip on the page, when it was open before."""
    for _ in range(2):
        page.get_by_role("radio", name="Answer", exact=True).click()
        page.locator(".answer-hero h2").wait_for()
        settle(page)
        started = time.perf_counter()
        page.get_by_role("radio", name="Map", exact=True).click()
        page.locator("[class*=st-key-map-] .js-plotly-plot canvas").first.wait_for(state="attached")
        took_s = time.perf_counter() - started
        settle(page)
    return took_s


def all_predictions(page, url: str, folder: Path) -> float:
    """Seconds from the upload of a clip to the predictions of all small models, when these are in memory."""
    names = [name for name in available_models() if _weights_bytes(name) < SMALL_BYTES]
    for sample in ("even", "low_slow"):  # the first clip loads the models
        page.goto(f"{url}/clip?view=models&from=Upload&" + "&".join(f"compared-models={name}" for name in names))
        path = folder / f"{sample}.wav"
        spoken = read_audio(paths.SAMPLES / f"{sample}.ogg").waveform[: round(CLIP_S * SAMPLE_RATE)]
        soundfile.write(path, spoken, SAMPLE_RATE)
        started = upload(page, path)
        page.get_by_role("heading", name=path.name, exact=True).wait_for()
        settle(page)
    return time.perf_counter() - started


def upload(page, path: Path) -> float:
    """Gives the page a file once it has been drawn; when that was, by time.perf_counter."""
    page.locator("input[type=file]").first.wait_for(state="attached")
    settle(page)
    started = time.perf_counter()
    page.locator("input[type=file]").first.set_input_files(path)
    return started


def _weights_bytes(name: str) -> int:
    return sum(path.stat().st_size for path in checkpoint_folder(name).glob("model.*"))


def long_file(page, url: str, folder: Path, minutes: float) -> Iterator[float]:
    """Seconds from the upload to the player, the first chart, all of it analysed every second, and in between too."""
    path = folder / "long.wav"
    soundfile.write(path, speech(60 * minutes), SAMPLE_RATE)
    page.goto(f"{url}/clip?view=over_time&from=Upload")
    started = upload(page, path)
    page.locator("img.mel").first.wait_for()
    yield time.perf_counter() - started
    page.locator("canvas.detail").first.wait_for()
    yield time.perf_counter() - started
    page.wait_for_function(f"() => {OVER} || {EVERY_SECOND}.test(document.body.innerText)")
    yield time.perf_counter() - started
    page.wait_for_function(f"() => {OVER}")
    settle(page)
    yield time.perf_counter() - started


def frames_a_second(page) -> float:
    """Median while the timeline on the page is dragged, zoomed in."""
    for _ in range(N_ZOOMS):
        page.get_by_role("button", name="Zoom in").click()
    return 1000 / float(np.median(frames_while_dragged(page, page.get_by_role("slider", name="Segment"), 5, 0)))


def new_page(browser):
    """A visit of its own, which may use the microphone."""
    page = browser.new_page(permissions=["microphone"])
    page.set_default_timeout(PATIENCE_MS)
    return page


def measure(minutes: float) -> Iterator[tuple[str, float]]:
    """Each figure when it is there."""
    from playwright.sync_api import sync_playwright

    start, median, slowest, answer, view, small, *long, frames = GOALS
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        voice = f"{folder}/voice.wav"
        soundfile.write(voice, speech(MICROPHONE_S), SAMPLE_RATE)
        browser = browser_with_microphone(playwright, voice)
        first_page(browser)  # the system caches what it reads
        yield start, first_page(browser)
        with running_server() as (url, _):
            page = new_page(browser)
            changes = page_changes(page, url)
            yield from ((f"  to {title} [s]", took_s) for title, took_s in changes.items())
            yield median, statistics.median(changes.values())
            yield slowest, max(changes.values())
            yield answer, answer_after_stop(page, url)
            yield view, map_after_click(page)
            page = new_page(browser)  # without the recorded clip
            yield small, all_predictions(page, url, Path(folder))
            yield from zip(long, long_file(page, url, Path(folder), minutes), strict=True)
            yield frames, frames_a_second(page)
        browser.close()


def main(argv: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the long file")
    parser.add_argument("--json", type=writable_path, help="also write the figures to this file")
    options = parser.parse_args(argv)
    print(f"Load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    found = {}
    for name, value in measure(options.minutes):
        goal = f"  (to be at most {GOALS[name]:g})" if GOALS.get(name) else ""
        print(f"{name:66} {value:6.2f}{goal}", flush=True)
        found[name.strip()] = round(value, 2)
    if options.json:
        paths.write_json(options.json, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
