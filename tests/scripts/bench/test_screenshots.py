"""The pictures of README and docs are those that the command takes."""

import re

from scripts.bench import screenshots
from ser_core import paths


def test_the_pictures_are_those_that_the_documents_show():
    names = {path.stem for path in screenshots.FOLDER.glob("*.png")}
    pages = [paths.ROOT / "README.md", *(paths.ROOT / "docs").glob("*.md")]
    shown = {name for page in pages for name in re.findall(r"screenshots/(\w+)\.png", page.read_text())}
    assert names == shown == screenshots.SCREENSHOTS.keys()


def test_the_sample_has_a_title():
    assert screenshots.sample_title()
