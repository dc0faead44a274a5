"""Live page without a browser: templates, server functions, invalid arguments, and `predict`."""

import asyncio
import json
import re
import signal
import socket
import threading
import time
from contextlib import closing
from itertools import product
from pathlib import Path

import httpx
import pytest
import uvicorn
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from starlette.testclient import TestClient

from scripts import predict
from ser_core.inference.model_cache import unload_models
from ser_core.inference.queue import Ticket, inference_queue
from ser_core.labels import EMOTION_STYLES, EMOTIONS
from ser_core.serving.live.sessions import LiveSessions
from ser_core.serving.middleware import RequestLimits
from tests.inference.test_queue import wait_until
from tests.make_page import wav

pytestmark = pytest.mark.slow


@pytest.fixture
def address(live, checkpoints, monkeypatch, tmp_path):
    """A running server with two small models."""
    unload_models()
    monkeypatch.setattr(live, "MAX_WAITING_REQUESTS", 2)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = live.build_live(RequestLimits())
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()
    unload_models()


@pytest.fixture
def client(address):
    client = Client(address, verbose=False)
    yield client
    client.close()


@pytest.mark.parametrize("model", ["other", "small"])
def test_predict_returns_what_the_script_prints(client, speech, tmp_path, capsys, monkeypatch, model):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "speech.wav").write_bytes(wav(speech))
    turns = []
    monkeypatch.setattr(Ticket, "let_others", lambda self, share: turns.append(share))  # after each batch
    answer = client.predict(handle_file("speech.wav"), model, api_name="/predict")
    assert turns
    assert predict.main(["speech.wav", "--model", model]) == 0
    assert answer == json.loads(capsys.readouterr().out) and answer["model"] == model


def test_predict_defaults_to_the_first_model_and_explains_errors(client, speech, tmp_path):
    sound, text = tmp_path / "speech.wav", tmp_path / "diary.txt"
    sound.write_bytes(wav(speech))
    text.write_text("Dear diary, this is no sound. " * 50)
    assert client.predict(handle_file(sound), api_name="/predict")["model"] == "other"
    for arguments, cause in (
        ((handle_file(text),), "text"),
        ((handle_file(sound), "../small"), "../small"),
        ((None,), "missing"),
    ):
        with pytest.raises(AppError, match=re.escape(cause)):
            client.predict(*arguments, api_name="/predict")


def test_predict_chooses_among_the_emotions_that_can_occur(client, speech, tmp_path):
    sound = tmp_path / "speech.wav"
    sound.write_bytes(wav(speech))
    found = client.predict(handle_file(sound), "small", "sad, happy", api_name="/predict")
    assert found["possible_emotions"] == ["happy", "sad"] and found["emotion"] in ("happy", "sad")
    with pytest.raises(AppError, match="Unknown emotion 'joy'"):
        client.predict(handle_file(sound), "small", "joy,sad", api_name="/predict")


def test_uploads_are_never_on_disk_and_used_once(address, client, speech, tmp_path):
    files = {"files": ("../../diary of Jane.wav", wav(speech), "audio/wav")}
    (path,) = httpx.post(f"{address}/gradio_api/upload", files=files).json()
    assert "Jane" not in path and Path(path).parent == tmp_path / "uploads"
    assert predict_uploaded(address, path)["emotion"]
    for other in (path, "/etc/hostname", "https://example.org/a.wav", str(tmp_path / "uploads" / "a.wav")):
        assert predict_uploaded(address, other) is None
    (tmp_path / "speech.wav").write_bytes(wav(speech))
    client.predict(handle_file(tmp_path / "speech.wav"), api_name="/predict")
    assert not (tmp_path / "uploads").exists()


@pytest.mark.parametrize("path", ["process_recording", "component_server"])
def test_no_other_route_writes_a_file(address, tmp_path, speech, path):
    files = {name: ("diary of Jane.wav", wav(speech), "audio/wav") for name in ("video", "files")}
    assert httpx.post(f"{address}/gradio_api/{path}", files=files).status_code in (404, 415)
    assert not (tmp_path / "uploads").exists()


@pytest.mark.parametrize(
    "data",
    [
        ["diary of Jane.wav", None],
        [{"path": "a", "orig_name": "diary of Jane.wav"}, None],
        [{"path": "a", "orig_name": "diary of Jane.wav", "meta": {"_type": "gradio.FileData"}}],
        [{"path": "a", "orig_name": "diary of Jane.wav", "meta": {"_type": "gradio.FileData"}}, {"diary of Jane": 1}],
    ],
)
def test_invalid_requests_are_explained_and_not_logged(address, capfd, data):
    event = httpx.post(f"{address}/gradio_api/call/predict", json={"data": data}).json()["event_id"]
    text = httpx.get(f"{address}/gradio_api/call/predict/{event}", timeout=60).text
    assert "handle_file" in text or "other, small" in text
    assert "Jane" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("route", ["component_server", "queue/join", "run/predict", "call/predict"])
def test_nothing_large_is_kept_of_a_call(address, route):
    """Gradio keeps the names of sessions, and calls that nobody asks the result of."""
    call = {"data": [None, None], "fn_index": 2, "component_id": 1, "fn_name": "stop"}
    for status, more in ((400, {"session_hash": "a" * 65}), (413, {"session_hash": "a", "trigger": "a" * 25_100_000})):
        answer = httpx.post(f"{address}/gradio_api/{route}", json=call | more)
        assert answer.status_code == status and answer.json()["error"]
    large = httpx.post(f"{address}/gradio_api/{route}", json=call | {"session_hash": "a", "trigger": "a" * 200_000})
    assert (large.status_code == 413) == (route != "component_server")


def test_an_upload_that_is_gone_is_not_blamed_on_the_model(address):
    data = [{"path": "a", "meta": {"_type": "gradio.FileData"}}, "small"]
    event = httpx.post(f"{address}/gradio_api/call/predict", json={"data": data}).json()["event_id"]
    assert "missing" in httpx.get(f"{address}/gradio_api/call/predict/{event}", timeout=60).text


def predict_uploaded(address: str, path: str) -> dict | None:
    """Prediction for an upload, None for an error; without gradio_client, which would upload the path again."""
    data = [{"path": path, "orig_name": "a.wav", "meta": {"_type": "gradio.FileData"}}, None]
    event = httpx.post(f"{address}/gradio_api/call/predict", json={"data": data}).json()["event_id"]
    text = httpx.get(f"{address}/gradio_api/call/predict/{event}", timeout=60).text
    return json.loads(text.partition("event: complete\ndata: ")[2])[0] if "event: complete" in text else None


def test_the_queue_of_predict_is_bounded(live, address, client, speech, tmp_path):
    (tmp_path / "speech.wav").write_bytes(wav(speech))
    with inference_queue.turn():
        jobs = [client.submit(handle_file(tmp_path / "speech.wav"), api_name="/predict") for _ in range(5)]
        wait_until(lambda: sum(job.done() for job in jobs) == 5 - 1 - live.MAX_WAITING_REQUESTS)  # one is running
        refused = [job for job in jobs if job.done()]
    assert all("full" in str(job.exception()) for job in refused)
    assert all(job.result(60)["emotion"] for job in jobs if job not in refused)


def test_only_predict_is_offered_to_programs(client):
    assert list(client.view_api(return_format="dict", print_info=False)["named_endpoints"]) == ["/predict"]


def test_every_emotion_has_its_colour_symbol_and_name(live, checkpoints):
    template = live.page_arguments(LiveSessions())["html_template"]
    for emotion in EMOTIONS:
        rows = re.findall(rf'<li data-answer="{emotion}">.*?</li>', template)
        assert len(rows) == 2, "current, and shares of the session"
        assert all(
            EMOTION_STYLES[emotion].colour in row and f"{EMOTION_STYLES[emotion].symbol} {emotion}" in row
            for row in rows
        )
    assert template.count('data-answer="not sure"') == 1 and not re.search(r"_ROWS|TITLE|\$\{|{{|`", template)


def test_the_page_has_no_external_resources(live, checkpoints):
    page = live.page_arguments(LiveSessions())
    texts = [page[name] for name in ("html_template", "css_template", "js_on_load")]
    assert not any(re.search(r"(https?:)?//[a-z]|@import|url\(", re.sub(r"//.*", "", text)) for text in texts)
    assert not re.search(r"@import|url\(['\"]?(https?:)?//", live.live_theme()._get_theme_css())
    assert not live.live_theme()._stylesheets


def test_invalid_arguments_get_an_error_message(live, checkpoints, subtests):
    invalid = [{}, {"page_id": 1}, {"page_id": "a", "offset": "x", "samples": 1}, [], "", None]
    for arguments, name in product(invalid, ["start", "feed", "stop", "hand_over"]):
        with subtests.test(name=name, arguments=arguments):
            calls = {call.__name__: call for call in live.page_arguments(LiveSessions())["server_functions"]}
            assert calls[name](arguments)["error"].endswith((".", "0"))
    sessions = LiveSessions()
    sessions.open("a", "192.0.2.1")
    start = live.page_arguments(sessions)["server_functions"][0]
    for rate in (float("inf"), float("nan"), None, "x"):
        assert "Reload" in start({"page_id": "a", "model": "small", "sample_rate": rate})["error"]


def test_numbers_of_the_page_are_in_the_units_it_shows(live, checkpoints, no_references):
    page = live.page_arguments(LiveSessions())
    assert (page["hop_s"], page["smoothing_s"]) == (0.25, 0.75)
    assert (page["max_recording_s"], page["token_lifetime_min"]) == (3600, 5)
    assert {*page["models"]} == {"small", "other"} and page["models_with_reference"] == ()
    arousal, valence = page["places"]["angry"]
    assert arousal > 0 > valence


def test_a_reference_that_cannot_be_used_is_not_blamed_on_the_page(live, checkpoints):
    sessions = LiveSessions()
    sessions.open("a", "192.0.2.1")
    start = live.page_arguments(sessions)["server_functions"][0]
    arguments = {"page_id": "a", "model": "small", "sample_rate": 16_000, "reference": {}}
    assert "not a reference" in start(arguments)["error"]


def test_emotions_that_cannot_be_chosen_among_are_not_blamed_on_the_page(live, checkpoints):
    sessions = LiveSessions()
    sessions.open("a", "192.0.2.1")
    start = live.page_arguments(sessions)["server_functions"][0]
    arguments = {"page_id": "a", "model": "small", "sample_rate": 16_000}
    for emotions, message in ((["joy", "sad"], "'joy'"), (["sad"], "two possible"), ("sad", "words"), (5, "Reload")):
        assert message in start(arguments | {"emotions": emotions})["error"]


def test_without_a_model_the_page_names_the_training_command(live, checkpoints):
    for folder in checkpoints.iterdir():
        (folder / "config.json").unlink()
    page = live.page_arguments(LiveSessions())
    assert page["models"] == () and "python -m scripts.train" in page["no_model_message"]


def test_a_signal_closes_open_pages_and_the_server():
    from ser_core.serving.live import shutdown  # here: with Gradio, as all of the live page

    order = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: order.append("server"))

    async def set_on_signal() -> None:
        event = asyncio.Event()
        shutdown._set_on_signal(event, signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(event.wait(), 30)
        order.append("pages")

    try:
        asyncio.run(set_on_signal())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert sorted(order) == ["pages", "server"]


def test_routes_that_nobody_uses_are_closed(live, subtests):
    client = TestClient(live.build_live(RequestLimits()))
    for path in [
        "/gradio_api/file=http://example.org/x.png",
        "/gradio_api/file=/etc/hostname",
        "/gradio_api/file/x",
        "/gradio_api/proxy=https://example.org/",
        "/gradio_api/stream/a/b/c/playlist.m3u8",
        "/gradio_api/custom_component/a/client/component/index.js",
        "/custom_component/a/client/component/index.js",
        "/gradio_api/openapi.json",
        "/openapi.json",
        "/monitoring",
        "/gradio_api/monitoring/summary",
        "/gradio_api/deep_link",
        "/gradio_api/vibe-code",
        "/gradio_api/run-history/records",
        "/runs",
        "/dev/reload",
    ]:
        with subtests.test(path=path):
            assert client.get(path).status_code == 404
    assert client.post("/gradio_api/process_recording").status_code == 404
    for path in ("/", "/config", "/theme.css", "/gradio_api/info"):
        with subtests.test(path=path):
            assert client.get(path).status_code == 200
