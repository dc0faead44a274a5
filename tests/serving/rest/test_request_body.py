"""Bodies and forms: type, size, time and disk."""

import logging
import time

import numpy as np
import pytest
from starlette.testclient import TestClient

from ser_core.inference.queue import inference_queue
from ser_core.serving import middleware as gate
from ser_core.serving.middleware import RequestLimits
from ser_core.serving.rest import build_rest
from tests.make_audio import with_soundfile
from tests.serving.rest.server import ANY, OGG, error_message, head, raw, served, status_of


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_compressed_body_is_refused_with_the_reason(client, sound, encoding):
    headers = OGG | {"Content-Encoding": encoding}
    assert "Content-Encoding" in error_message(client.post("/predict", content=sound, headers=headers), 415)
    assert client.post("/predict", content=sound, headers=OGG | {"Content-Encoding": "identity"}).status_code == 200


def test_another_type_is_refused(client, sound, subtests):
    for kind in ["application/json", "text/html", "application/x-www-form-urlencoded", "", "audio"]:
        with subtests.test(kind=kind):
            headers = {"Content-Type": kind} if kind else {}
            assert "Content-Type" in error_message(client.post("/predict", content=sound, headers=headers), 415)


@pytest.mark.parametrize("name", ["../../../etc/passwd", "C:\\con.wav", "a\nb.wav", "<script>.wav", "/dev/null"])
def test_the_file_name_is_never_used_as_a_path(client, sound, name, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.INFO, "ser_core"):
        answer = client.post("/predict", files={"file": (name, sound, "audio/ogg")})
    assert answer.status_code == 200 and answer.json()["emotion"]
    assert not list(tmp_path.rglob("*.wav")) and name.strip("./") not in caplog.text


def test_a_broken_form_is_refused(client, subtests):
    for headers, content in [
        ({"Content-Type": "multipart/form-data"}, b"--a"),
        ({"Content-Type": "multipart/form-data; boundary=a"}, b"no form"),
        (
            {"Content-Type": "multipart/form-data; boundary=a"},
            b"--a\r\nContent-Disposition: form-data\r\n\r\n1\r\n--a--",
        ),
        ({"Content-Type": "multipart/form-data; boundary=a"}, b""),
    ]:
        with subtests.test(headers=headers):
            assert "'file'" in error_message(client.post("/predict", content=content, headers=headers), 400)


def test_a_form_without_one_recording_is_refused(client, subtests):
    for files in [
        {"sound": ("a.ogg", b"1", "audio/ogg")},
        [("file", ("a.ogg", b"1", "audio/ogg")), ("file", ("b.ogg", b"2", "audio/ogg"))],
        {"file": (None, "text")},
    ]:
        with subtests.test(files=files):
            assert "'file'" in error_message(client.post("/predict", files=files), 400)
    clips = [("file", ("a.ogg", b"1", "audio/ogg"))] * 31
    assert "no more than 1." in error_message(client.post("/predict", files=clips[:2]), 400)
    assert "31 parts 'file'. Send no more than 30." in error_message(client.post("/reference", files=clips), 400)


def test_nothing_in_a_form_is_left_out(client, sound, subtests):
    recording = ("file", ("a.ogg", sound, "audio/ogg"))
    for path, more, named in [
        ("/predict", ("referance", (None, "recording")), "'referance'"),
        ("/reference", ("file2", ("b.ogg", sound, "audio/ogg")), "'file2'"),
        ("/reference", ("file", (None, "text")), "is text"),
        ("/reference", ("reference", (None, "recording")), "leave out 'reference'"),
    ]:
        with subtests.test(more=more):
            assert named in error_message(client.post(path, files=[recording, more]), 400)
    as_file = [recording, ("reference", ("voice.json", b"{}", "application/json"))]
    assert "as text" in error_message(client.post("/predict", files=as_file), 400)
    twice = [recording, ("reference", (None, "recording")), ("reference", (None, "recording"))]
    assert "Send one" in error_message(client.post("/predict", files=twice), 400)


def test_a_form_without_its_end_is_refused(client, sound):
    """Its last part, here the reference, would be left out of the answer."""
    part = b"--a\r\nContent-Disposition: form-data; name="
    form = part + b'"file"; filename="a.ogg"\r\n\r\n' + sound + b"\r\n" + part + b'"reference"\r\n\r\nrecording\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=a"}
    for content in (form, form + b"--a\r\n"):
        assert "closing boundary" in error_message(client.post("/predict", content=content, headers=headers), 400)
    for end in (b"--a--", b"--a--\r\n", b"--a--\r\nepilogue"):  # all three are complete
        answer = client.post("/predict", content=form + end, headers=headers)
        assert "closing boundary" not in answer.text


def test_a_recording_that_is_sent_as_text_is_told_what_makes_it_a_file(client):
    """As `curl -F file=a.wav`, or base64 in a field."""
    for text, cause in [("a.wav", "is text, not a file"), ("A" * 300_000, "maximum size")]:
        message = error_message(client.post("/predict", files={"file": (None, text)}), 400)
        assert cause in message and "with a file name" in message


def test_another_type_in_a_form_is_refused(client):
    assert "'text/html'" in error_message(client.post("/predict", files={"file": ("a.ogg", b"1", "text/html")}), 415)


def test_forms_do_not_touch_the_disk(client, monkeypatch):
    monkeypatch.setattr("tempfile.TemporaryFile", lambda *a, **k: pytest.fail("written to disk"))
    noise = with_soundfile(np.random.default_rng(0).uniform(-1, 1, (1_000_000, 1)), 16_000, "WAV", "FLOAT")
    assert client.post("/embed", files={"file": ("a.wav", noise, "audio/wav")}).status_code == 200


def test_too_large_a_body_is_refused_while_it_is_received(checkpoints):
    limits = RequestLimits(max_body_bytes=1000)
    sent = 0

    def chunks():
        nonlocal sent
        for _ in range(10_000):
            sent += 1
            yield bytes(10_000)

    client = TestClient(build_rest(limits))
    assert "0.001 MB" in error_message(client.post("/predict", content=bytes(20_000), headers=OGG), 413)
    assert "larger than" in error_message(
        client.post("/predict", files={"file": ("a", bytes(20_000), "audio/wav")}), 413
    )
    assert "larger than" in error_message(client.post("/predict", content=chunks(), headers=OGG), 413)
    clips = [("file", ("a", bytes(6000), "audio/wav"))] * 2
    assert error_message(client.post("/reference", files=clips), 413).startswith("All recordings together are larger")
    assert error_message(client.post("/predict", content=b"1", headers=OGG | {"Content-Length": str(10**12)}), 413)


def test_the_total_size_of_bodies_is_bounded(checkpoints):
    client = TestClient(build_rest(RequestLimits(max_total_body_bytes=1000)))
    for _ in range(5):  # memory is released after each request
        for content in (bytes(2000), iter([bytes(600), bytes(600)])):
            answer = client.post("/predict", content=content, headers=OGG)
            assert "Try again" in error_message(answer, 503) and int(answer.headers["Retry-After"]) >= 1
        assert client.post("/predict", content=iter([bytes(600)]), headers=OGG).status_code == 422


@pytest.mark.slow
@pytest.mark.parametrize("limits", [RequestLimits(chunk_timeout_s=0.3), RequestLimits(body_timeout_s=0.3)])
def test_a_slow_body_times_out(checkpoints, limits, monkeypatch):
    monkeypatch.setattr(gate, "DRAIN_PAUSE_S", 0.1)
    with served(limits) as port:
        assert status_of(raw(port, head(1000), b"1")) == 408
    assert len(inference_queue) == 0


def test_a_huge_length_is_refused_before_anything_is_sent(checkpoints, monkeypatch):
    monkeypatch.setattr(gate, "DRAIN_PAUSE_S", 0.1)
    with served(ANY) as port:
        assert status_of(raw(port, head(10**15))) == 413


@pytest.mark.slow
def test_a_refused_client_may_send_everything_before_reading(checkpoints):
    n_parts, part = 10, bytes(3_000_000)
    with served(ANY) as port:
        connection = raw(port, head(n_parts * len(part)))
        for _ in range(n_parts):
            time.sleep(gate.DRAIN_PAUSE_S / 10)
            connection.sendall(part)
        assert status_of(connection) == 413
