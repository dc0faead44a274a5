"""A running app and a real browser whose microphone plays a file."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

ROOT = Path(__file__).parent.parent.parent
SAMPLES = ROOT / "assets" / "samples"
MICROPHONE_RATE = 48_000
START_S = 60
PATIENCE_MS = 120_000  # costs nothing where all is well
DESK = {"width": 1280, "height": 720}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def pytest_collection_modifyitems(items):
    """Marks these tests; one that waited in vain for the browser runs once more, and the summary names it."""
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.flaky(reruns=1, only_rerun=["TimeoutError", "Locator expected"]))


def served(script: Path, **options):
    """The address of a server that runs a Streamlit script, with no recordings unless the options name some."""
    return running("streamlit", "run", script, "--server.headless=true", "--server.port", **options)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(*module, port: int | None = None, **variables: str):
    """The address of a server: a module with its arguments, of which the last one wants a port."""
    port = port or free_port()
    environment = {name: value for name, value in os.environ.items() if name != "SER_CORPORA"} | variables
    command = [sys.executable, "-m", *module, str(port)]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(60)


def _wait_for(address: str) -> None:
    until = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


@pytest.fixture(scope="package")  # its event loop must not outlive these tests
def app_url(chromium):
    with served(ROOT / "app.py") as url:
        yield url


@pytest.fixture(scope="package")  # its event loop must not outlive these tests
def microphone(tmp_path_factory) -> Path:
    """What the fake microphone hears: half a minute of speech, 48 kHz, 16 bit."""
    speech, rate = soundfile.read(SAMPLES / "story.ogg", dtype=np.float32)
    path = tmp_path_factory.mktemp("microphone") / "speech.wav"
    soundfile.write(path, soxr.resample(speech, rate, MICROPHONE_RATE), MICROPHONE_RATE, subtype="PCM_16")
    return path


@pytest.fixture(scope="package")  # its event loop must not outlive these tests
def chromium(microphone):
    """A browser with one profile: the program's scripts are compiled once, and each page is a session of its own."""
    if CHROMIUM is None:
        pytest.skip("chromium is missing: install it to run the browser tests")
    from playwright.sync_api import sync_playwright

    flags = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    flags += ["--no-sandbox", f"--use-file-for-fake-audio-capture={microphone}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        context = browser.new_context(permissions=["microphone"], reduced_motion="reduce")
        context.add_init_script(path=Path(__file__).with_name("runs.js"))
        yield context
        browser.close()


@pytest.fixture(scope="package")
def tabs() -> list:
    """Tabs that no test uses now: to open an address in one costs half of that in a new one."""
    return []


@pytest.fixture
def new_page(chromium, tabs):
    """A function that opens an address in a session of its own; `before` runs first on the page."""
    pages = []

    def open_page(url, before="", color_scheme="light", viewport=DESK):
        page = tabs.pop() if tabs else chromium.new_page()
        page.bring_to_front()  # behind another tab it is drawn once a second
        inspector = chromium.new_cdp_session(page)
        inspector.send("Page.enable")
        inspector.send("Page.addScriptToEvaluateOnNewDocument", {"source": before})
        pages.append((page, inspector))
        page.set_default_timeout(PATIENCE_MS)
        page.emulate_media(color_scheme=color_scheme)
        page.set_viewport_size(viewport)
        page.goto(url)
        return page

    yield open_page
    for page, inspector in pages:
        inspector.detach()  # and forgets what runs before
        if page.url.startswith("http"):
            page.evaluate("localStorage.clear(); sessionStorage.clear()")  # whether the menu is open, for example
        page.goto("about:blank")  # ends the session, the microphone and all sound
        tabs.append(page)


def drag(page, box, start, end):
    """From one share of the player's width to another."""
    y = box["y"] + 90
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], y, steps=4)
    page.mouse.up()
