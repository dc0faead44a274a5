"""Uploads of Gradio's clients: bounded, and taken once."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from ser_core.serving.middleware import RequestLimits
from ser_core.serving.one_time_store import RECORDING_LIFETIME_S

pytestmark = pytest.mark.slow  # Gradio is imported


def test_an_upload_is_taken_once_under_a_name_of_the_server(live):
    uploads = live.GradioUploads(RequestLimits())
    client = TestClient(Starlette(routes=[uploads.route("/upload")]))
    (name,) = client.post("/upload", files={"files": ("../../diary of Jane.wav", b"sound", "audio/wav")}).json()
    assert "Jane" not in name
    assert [uploads.take(name), uploads.take(name), uploads.take("/etc/hostname")] == [b"sound", None, None]


def test_an_upload_takes_no_reference(live):
    client = TestClient(Starlette(routes=[live.GradioUploads(RequestLimits()).route("/upload")]))
    files = {"files": ("a.wav", b"sound", "audio/wav"), "reference": (None, "recording")}
    refused = client.post("/upload", files=files)
    assert refused.status_code == 400 and "Leave out 'reference'" in refused.json()["error"]


def test_uploads_have_bounds(live, checkpoints):
    client = TestClient(live.build_live(RequestLimits(max_body_bytes=1000, max_total_body_bytes=25_000)))
    path = "/gradio_api/upload"
    found = [client.post(path, files={"files": ("a.wav", bytes(n))}) for n in (1000, 20_000)]
    assert [answer.status_code for answer in found] == [200, 413] and "larger than" in found[1].json()["error"]
    found = [client.post(path, files={"files": ("a.wav", bytes(1000))}) for _ in range(30)]
    assert {answer.status_code for answer in found} == {200, 503}
    assert 290 < int(found[-1].headers["Retry-After"]) <= RECORDING_LIFETIME_S  # nobody takes what is stored
    call = {"session_hash": "a", "component_id": 1, "fn_name": "feed", "data": {"samples": "A" * 2_000_000}}
    refused = client.post("/gradio_api/component_server", json=call)
    assert refused.status_code in (400, 413)  # 400 by FastAPI
    assert client.get("/gradio_api/deep_link", params={"session_hash": "a"}).status_code == 404
