"""Error responses: status, cause and cure, and when to retry."""

import json

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from ser_core.audio import AudioError
from ser_core.inference import QueueFull, SpeakerReferenceError
from ser_core.models import CheckpointError, UnknownModel
from ser_core.serving.error_response import error_response
from ser_core.serving.errors import ERROR_RESPONSES, add_error_handlers


def test_seconds_until_a_retry_are_rounded_up():
    found = error_response(503, "later", 1.2)
    assert (found.status_code, found.headers["retry-after"], json.loads(found.body)) == (503, "2", {"error": "later"})
    assert "retry-after" not in error_response(404, "nothing here").headers


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (AudioError("damaged"), 422),
        (SpeakerReferenceError("of another model"), 422),
        (UnknownModel("no such model"), 404),
        (CheckpointError("incomplete"), 500),
        (QueueFull(3.0), 503),
    ],
)
def test_every_error_has_its_status_and_is_described(error, status):
    app = FastAPI()
    add_error_handlers(app)

    @app.get("/")
    async def fail() -> None:
        raise error

    found = TestClient(app).get("/")
    assert (found.status_code, found.json()) == (status, {"error": str(error)})
    assert status in ERROR_RESPONSES and ("retry-after" in found.headers) == (status == 503)


def test_unknown_paths_name_the_description():
    app = FastAPI()
    add_error_handlers(app)
    assert "/docs" in TestClient(app).get("/nothing").json()["error"]
