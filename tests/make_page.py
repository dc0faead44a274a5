"""A page without a browser: opened, given a file, and read."""

import io

import numpy as np
import soundfile
from streamlit.testing.v1 import AppTest

from pages.ui.session import Session
from ser_core import paths
from ser_core.audio.io import SAMPLE_RATE

KINDS = ("title", "header", "subheader", "markdown", "caption", "text", "error", "warning", "info")


def open_page(name: str, timeout_s: float = 120) -> AppTest:
    """A page by the name of its folder, not yet run."""
    return AppTest.from_file(str(paths.ROOT / "pages" / name / "page.py"), default_timeout=timeout_s)


def open_view(name: str, timeout_s: float = 120) -> AppTest:
    """The workspace with one of its views, not yet run."""
    page = open_page("workspace", timeout_s)
    page.query_params["view"] = name
    return page


def session_of(page: AppTest) -> Session:
    """The state of the page's session, created where the page has not run yet."""
    if "session" not in page.session_state:
        page.session_state["session"] = Session()
    return page.session_state["session"]


def texts(page: AppTest) -> str:
    """Everything the page says."""
    return "\n".join(element.value for kind in KINDS for element in page.get(kind))


def open_sample(page: AppTest, key: str = "sample-low_slow.ogg") -> AppTest:
    """The page with a sample."""
    page.button(key=key).click().run()
    assert not page.exception
    return page


def upload(page: AppTest, name: str, content: bytes) -> AppTest:
    """The page with a file in its first uploader."""
    page.file_uploader[0].upload(name, content).run()
    assert not page.exception
    return page


def wav(samples: np.ndarray, rate: int = SAMPLE_RATE, subtype: str = "PCM_16") -> bytes:
    """A WAV file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype=subtype)
    return file.getvalue()
