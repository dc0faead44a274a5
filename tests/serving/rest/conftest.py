"""Fixtures of the REST API."""

import pytest
from starlette.testclient import TestClient

from ser_core.inference.model_cache import unload_models
from ser_core.inference.queue import inference_queue
from ser_core.serving.rest import build_rest
from tests.serving.rest.server import ANY, SPEECH


@pytest.fixture
def client(checkpoints):
    """Client of an application with the models `small` and `other`."""
    unload_models()
    yield TestClient(build_rest(ANY), raise_server_exceptions=False)
    unload_models()
    assert len(inference_queue) == 0


@pytest.fixture(scope="session")
def sound() -> bytes:
    return SPEECH.read_bytes()
