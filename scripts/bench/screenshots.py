"""Takes the screenshots of README and docs, in a real browser on this machine.

python -m scripts.bench.screenshots [NAME...]     writes assets/screenshots/NAME.png; default: all

Needs requirements-dev.txt and chromium. The voice is one of the clips of CREMA-D in assets/samples. `first_minute` is a
film of six pictures: open, speak, answer, why, map, voice; the browser's microphone plays the same clip.
"""

import io
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from scripts.bench.page_times import settle
from scripts.bench.server import browser_with_microphone, running_server
from scripts.common.flags import command_parser
from ser_core import paths
from ser_core.audio import SAMPLE_RATE, load_audio

FOLDER = paths.ASSETS / "screenshots"
VOICE = "1006_IOM"  # one of the eight clips of CREMA-D
PATIENCE_MS = 180_000
N_COLOURS = 256  # a third of the bytes
DRAWING_MS = 5000  # charts are drawn after the script of a page has ended
FILM = "first_minute"
FRAME_VIEW = (1280, 960)  # pixels of the page in the film
FRAME, N_COLUMNS = (640, 480), 3  # pixels of one of its pictures, and how many are in a row
SPEAKING_MS, MICROPHONE_SILENCE_S = 1500, 30


@dataclass(frozen=True)
class Screenshot:
    """One image: an address of the app, in one colour scheme and size."""

    address: str  # below that of the server
    scheme: str = "light"
    width: int = 1280  # pixels
    height: int = 900


SCREENSHOTS = {
    "home_light": Screenshot(""),
    "home_390": Screenshot("", width=390, height=1300),
    "answer_light": Screenshot(f"clip?sample={VOICE}", height=1180),
    "answer_dark": Screenshot(f"clip?sample={VOICE}", "dark", height=1180),
    "over_time_dark": Screenshot("clip?sample=story&view=over_time", "dark"),
    "why_light": Screenshot(f"clip?sample={VOICE}&view=why", height=1180),
    "map_light": Screenshot(f"clip?sample={VOICE}&view=map", height=1180),
    "voice_light": Screenshot(f"clip?sample={VOICE}&view=voice", height=1180),
    "models_light": Screenshot("models"),
}


def take_screenshot(browser, url: str, name: str) -> None:
    """Writes one image of the server at an address."""
    shot = SCREENSHOTS[name]
    page = _open(browser, f"{url}/{shot.address}", shot.width, shot.height, shot.scheme)
    _save(_picture(page), name)
    page.close()


def take_film(browser, url: str) -> None:
    """Writes the pictures of the first minute: open, speak, answer, why, map, voice."""
    page = _open(browser, url, *FRAME_VIEW, "light")
    frames = [_picture(page)]
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(SPEAKING_MS)
    frames.append(_picture(page, DRAWING_MS // 10))
    page.wait_for_url("**/clip**")
    frames.append(_picture(page))
    for view in ("Why", "Map", "Voice"):
        page.get_by_role("radio", name=view, exact=True).click()
        page.wait_for_timeout(DRAWING_MS)
        frames.append(_picture(page))
    page.close()
    film = Image.new("RGB", (FRAME[0] * N_COLUMNS, FRAME[1] * -(-len(frames) // N_COLUMNS)), "white")
    for i, frame in enumerate(frames):
        film.paste(frame.resize(FRAME), (i % N_COLUMNS * FRAME[0], i // N_COLUMNS * FRAME[1]))
    _save(film, FILM)


def _open(browser, address: str, width: int, height: int, scheme: str):
    page = browser.new_page(
        viewport={"width": width, "height": height}, color_scheme=scheme, permissions=["microphone"]
    )
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.locator("h1, h2").first.wait_for()
    return page


def _picture(page, wait_ms: int = DRAWING_MS) -> Image.Image:
    settle(page)
    page.wait_for_timeout(wait_ms)
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def _save(image: Image.Image, name: str) -> None:
    image.quantize(N_COLOURS, kmeans=2).save(FOLDER / f"{name}.png", optimize=True)
    print(f"{name}.png", flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    names = [*SCREENSHOTS, FILM]
    parser.add_argument("names", nargs="*", choices=[[], *names], metavar="NAME", help=", ".join(names))
    options = parser.parse_args(arguments)
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright, running_server() as (url, _):
        browser = browser_with_microphone(playwright, f"{_spoken(Path(folder))}%noloop")
        for name in options.names or names:
            take_film(browser, url) if name == FILM else take_screenshot(browser, url, name)
        browser.close()
    return 0


def _spoken(folder: Path) -> Path:
    """What the microphone of the browser plays: the voice, then silence."""
    waveform = load_audio(next(paths.SAMPLES.glob(f"crema_d/{VOICE}_*")))
    silence = np.zeros(MICROPHONE_SILENCE_S * SAMPLE_RATE, np.float32)
    soundfile.write(folder / "voice.wav", np.concatenate([waveform, silence]), SAMPLE_RATE, subtype="PCM_16")
    return folder / "voice.wav"


if __name__ == "__main__":
    sys.exit(main())
