"""The live page, which imports Gradio."""

import pytest


@pytest.fixture(scope="session")
def live():
    """The module, imported when a test needs it: Gradio takes two seconds of each worker that collects its tests."""
    from ser_core.serving.live import app as live_app

    return live_app
