"""The pictures of README and docs are those that the command takes."""

import re

from scripts.bench import screenshots
from ser_core import paths


def test_the_pictures_are_those_that_the_documents_show():
    names = {path.stem for path in screenshots.FOLDER.glob("*.png")}
    pages = [paths.ROOT / "README.md", *(paths.ROOT / "docs").glob("*.md")]
    shown = {name for page in pages for name in re.findall(r"screenshots/(\w+)\.png", page.read_text())}
    assert names == shown == {*screenshots.SCREENSHOTS, screenshots.FILM}


def test_the_voice_of_the_pictures_ships():
    assert len([*paths.SAMPLES.glob(f"crema_d/{screenshots.VOICE}_*")]) == 1
