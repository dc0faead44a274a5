"""Takes the screenshots of README and docs, in a real browser on this machine.

python -m scripts.bench.screenshots [NAME...]     writes assets/screenshots/NAME.png; default: all

Needs requirements-dev.txt and chromium. The clip is a synthetic sample: no person is in the images.
"""

import argparse
import io
import json
import sys
from dataclasses import dataclass

from PIL import Image

from scripts.bench.page_times import settle
from scripts.bench.server import chromium, running_server
from ser_core import paths

FOLDER = paths.ASSETS / "screenshots"
SAMPLE = "story.ogg"
PATIENCE_MS = 180_000
N_COLOURS = 256  # a third of the bytes
DRAWING_MS = 4000  # charts are drawn after the script of a page has ended


@dataclass(frozen=True)
class Screenshot:
    """One image: a page of the app, in one colour scheme and size."""

    address: str  # below that of the server
    scheme: str = "light"
    width: int = 1280  # pixels
    height: int = 1180
    with_clip: bool = True  # choose the sample first


SCREENSHOTS = {
    "record_light": Screenshot("clip?sample=story"),
    "record_dark": Screenshot("clip?sample=story", "dark"),
    "record_390": Screenshot("clip?sample=story", width=390, height=1900),
    "trajectory_dark": Screenshot("clip?view=over_time&sample=story", "dark"),
    "why_light": Screenshot("clip?view=why&sample=story"),
    "map_light": Screenshot("clip?view=map", with_clip=False),
    "models_light": Screenshot("models", with_clip=False),
}


def take_screenshot(browser, url: str, name: str) -> None:
    """Writes one image of the server at an address."""
    shot = SCREENSHOTS[name]
    size = {"width": shot.width, "height": shot.height}
    page = browser.new_page(viewport=size, color_scheme=shot.scheme)
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{url}/{shot.address}")
    page.locator("h1").first.wait_for()
    settle(page)
    if shot.with_clip:
        page.get_by_role("button", name=sample_title(), exact=True).click()
        page.wait_for_timeout(DRAWING_MS)
        settle(page)
    page.wait_for_timeout(DRAWING_MS)
    image = Image.open(io.BytesIO(page.screenshot()))
    image.convert("RGB").quantize(N_COLOURS).save(FOLDER / f"{name}.png", optimize=True)
    page.close()


def sample_title() -> str:
    """Text of the button that opens the sample."""
    samples = json.loads((paths.SAMPLES / "samples.json").read_text())
    return next(sample["title"] for sample in samples if sample["file"] == SAMPLE)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *SCREENSHOTS], metavar="NAME", help=", ".join(SCREENSHOTS))
    options = parser.parse_args(arguments)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, running_server() as (url, _):
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for name in options.names or SCREENSHOTS:
            take_screenshot(browser, url, name)
            print(f"{name}.png", flush=True)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
