"""REST API: results equal those of the command line; every invalid request gets a JSON error with the cure."""

import http.client
import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from starlette.testclient import TestClient

from scripts import predict
from scripts.bench.server import post_sound
from ser_core.audio.io import load_audio
from ser_core.audio.isolation.decoder_pool import decoder_pool
from ser_core.evaluation import environment as machine
from ser_core.inference.enrolment import collection_reference, speaker_reference
from ser_core.inference.forward import run_clips
from ser_core.inference.queue import MAX_WAITING_REQUESTS, Ticket, inference_queue
from ser_core.labels import EMOTIONS
from ser_core.models.checkpoint import load_model
from ser_core.serving import middleware as gate, rest
from ser_core.serving.middleware import RateLimit, RequestLimits
from ser_core.serving.rest import build_rest
from tests.audio.bombs import flac_constant
from tests.conftest import ROOT
from tests.inference.test_queue import wait_until
from tests.make_audio import long_file
from tests.make_page import wav
from tests.serving.rest.server import ANY, OGG, SPEECH, error_message, head, raw, served

# --- answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("windows", [False, True])
def test_predictions_equal_those_of_the_command_line(client, sound, capsys, windows):
    assert predict.main([str(SPEECH), "--model", "small", *["--windows"] * windows]) == 0
    printed = capsys.readouterr().out
    path = "/windows" if windows else "/predict"
    form = client.post(path, params={"model": "small"}, files={"file": (str(SPEECH), sound, "audio/ogg")})
    assert list(form.json().items()) == list(json.loads(printed).items())
    body = client.post(path, params={"model": "small"}, content=sound, headers=OGG)
    assert body.json() == form.json() | {"file": ""}


def test_the_first_model_is_the_default(client, sound):
    assert client.post("/predict", content=sound, headers=OGG).json()["model"] == "other"


def test_an_empty_model_is_the_default(client, sound):
    assert client.post("/predict?model=", content=sound, headers=OGG).json()["model"] == "other"


def test_the_embedding_is_that_of_the_analysed_part(client, sound):
    found = client.post("/embed", params={"model": "small"}, content=sound, headers=OGG).json()
    model, waveform = load_model("small"), load_audio(SPEECH)
    start, end = (round(found[name] * model.sample_rate) for name in ("start_s", "end_s"))
    expected = run_clips(model, [waveform[start:end]]).embeddings
    np.testing.assert_allclose(found["embedding"], expected[0], rtol=1e-5)
    assert (found["model"], found["version"]) == ("small", model.version) and 0 < start < end < len(waveform)


def test_models_and_health(client, sound):
    assert client.get("/models").json()["models"] == ["other", "small"]
    assert client.get("/health").json() == {"status": "ok", "live": False, "in_line": 0, "models_in_memory": []}
    client.post("/predict", params={"model": "small"}, content=sound, headers=OGG)
    assert client.get("/health").json()["models_in_memory"] == ["small"]


def test_a_monitor_asks_for_the_head_of_health_only(client):
    answer = client.head("/health")
    assert answer.status_code == 200 and not answer.content


@pytest.mark.parametrize("path", ["/predict", "/windows"])
def test_the_emotions_that_can_occur_are_chosen_among(client, sound, path, capsys):
    asked = {"model": "small", "emotions": "sad, happy"}
    found = client.post(path, params=asked, content=sound, headers=OGG).json()
    windows = ["--windows"] * (path == "/windows")
    assert predict.main([str(SPEECH), "--model", "small", "--emotions", "sad,happy", *windows]) == 0
    assert found == json.loads(capsys.readouterr().out) | {"file": ""}
    assert found["possible_emotions"] == ["happy", "sad"] and found["emotion"] in ("happy", "sad")
    every = client.post(path, params=asked | {"emotions": ""}, content=sound, headers=OGG).json()
    assert every["possible_emotions"] == [*EMOTIONS]


def test_emotions_that_cannot_be_chosen_among_are_refused(client, sound):
    for words, message in (("happy", "two possible emotions"), ("joy,sad", "Unknown emotion 'joy'. There are: ")):
        answer = client.post("/predict", params={"emotions": words}, content=sound, headers=OGG)
        assert message in error_message(answer, 422)
    for path in ("/embed", "/reference"):  # they do not depend on them
        answer = client.post(path, params={"emotions": "sad,happy"}, content=sound, headers=OGG)
        assert "Unknown parameter 'emotions'" in error_message(answer, 400)


# --- reference clips -------------------------------------------------------------------------------------------------


@pytest.fixture
def enrolling(client, monkeypatch, enrolling_model):
    """The client, with a model that takes reference clips."""
    monkeypatch.setattr(rest, "shared_model", lambda name: enrolling_model)
    return client


def with_reference(client, sound: bytes, reference: str, path: str = "/predict"):
    return client.post(path, files={"file": ("a.ogg", sound, "audio/ogg")}, data={"reference": reference})


CLIP_FILES = [SPEECH, SPEECH.with_name("even.ogg"), SPEECH.parent / "crema_d" / "1001_TSI_SAD_XX.opus"]
CLIPS = [("file", (file.name, file.read_bytes(), "audio/ogg")) for file in CLIP_FILES]


def test_a_reference_comes_from_clips_and_goes_with_a_recording(enrolling, enrolling_model, sound):
    found = enrolling.post("/reference", files=CLIPS)
    assert found.status_code == 200, found.text
    assert found.json() == speaker_reference(enrolling_model, [*map(load_audio, CLIP_FILES)]).to_dict()
    another = SPEECH.with_name("high_fast.ogg").read_bytes()
    for path in ("/predict", "/windows"):
        for text in (found.text, f"\ufeff{found.text}\r\n"):  # as a shell or an editor of Windows writes it
            used = with_reference(enrolling, another, text, path).json()
            assert (used["reference_clips"], used["reference_source"]) == (3, "clips")
    assert used["probabilities"] != enrolling.post("/predict", content=another, headers=OGG).json()["probabilities"]
    alone = enrolling.post("/reference", files=CLIPS[:1] * 3).text  # copies count once
    assert "this recording alone" in with_reference(enrolling, sound, alone).json()["reference_note"]


def test_the_emotion_of_the_clips_may_be_known(enrolling, enrolling_model, monkeypatch):
    refused = error_message(enrolling.post("/reference?emotion=neutral", files=CLIPS), 422)
    assert "cannot use the emotions of reference clips" in refused
    monkeypatch.setattr(enrolling_model, "emotion_offsets", np.ones((8, 8), np.float32))
    found = enrolling.post("/reference?emotion=neutral", files=CLIPS)
    assert found.json()["emotions"] == ["neutral"] * 3
    another = SPEECH.with_name("high_fast.ogg").read_bytes()
    assert with_reference(enrolling, another, found.text).json()["reference_source"] == "neutral clips"
    assert enrolling.post("/reference?emotion=", files=CLIPS).json()["emotions"] == []
    assert "There are: neutral" in error_message(enrolling.post("/reference?emotion=bored", files=CLIPS), 422)
    both = enrolling.post("/reference?collection=true&emotion=sad", files=CLIPS)
    assert "'emotion' is for the clips of one speaker" in error_message(both, 400)


def test_a_long_file_is_compared_with_the_others_too(enrolling, sound, speech):
    long, another = long_file(speech), SPEECH.with_name("high_fast.ogg").read_bytes()
    clips = [("file", (f"{i}.ogg", clip, "audio/ogg")) for i, clip in enumerate((sound, another, long))]
    for path in ("/reference", "/reference?collection=true"):
        reference = enrolling.post(path, files=clips).text
        assert with_reference(enrolling, long, reference).json()["reference_clips"] == 2


@pytest.mark.parametrize("path", ["/predict", "/windows", "/embed", "/reference"])
def test_a_request_lets_the_others_have_a_turn_after_each_batch(enrolling, speech, monkeypatch, path):
    turns = []
    monkeypatch.setattr(Ticket, "let_others", lambda self, share: turns.append(share))
    sound = wav(np.tile(speech, 4)[: 20 * 16_000])
    response = enrolling.post(path, content=sound, headers={"Content-Type": "audio/wav"})
    assert response.status_code == 200 and len(turns) >= 1


def test_one_clip_may_be_the_body(enrolling, sound):
    assert enrolling.post("/reference", content=sound, headers=OGG).json()["n_clips"] == 1


def test_a_collection_may_be_the_reference(enrolling, enrolling_model):
    found = enrolling.post("/reference?collection=true", files=CLIPS)
    assert found.json() == collection_reference(enrolling_model, [*map(load_audio, CLIP_FILES)]).to_dict()
    another = SPEECH.with_name("high_fast.ogg").read_bytes()
    assert with_reference(enrolling, another, found.text).json()["reference_source"] == "collection"
    assert "needs 3" in error_message(enrolling.post("/reference?collection=true", files=CLIPS[:2]), 422)


def test_a_recording_may_be_its_own_reference(enrolling, speech):
    for word in ("recording", "recording\n"):
        answer = with_reference(enrolling, wav(np.tile(speech, 4)), word).json()
        assert answer["reference_source"] == "recording"


def test_the_embedding_does_not_depend_on_a_reference(enrolling, sound):
    found = [with_reference(enrolling, sound, words, "/embed").json() for words in ("", "recording")]
    assert found[0] == found[1]


def test_too_many_clips_are_refused(enrolling):
    assert "30" in error_message(enrolling.post("/reference", files=[("file", ("a", b"x", "audio/ogg"))] * 31), 400)


def test_a_damaged_reference_is_refused(enrolling, enrolling_model, sound):
    saved = speaker_reference(enrolling_model, [load_audio(SPEECH)] * 3).to_dict()
    for embedding, words in (([1.0] * 3, "3 values"), ([3.4e38] * 8, "damaged")):
        answer = with_reference(enrolling, sound, json.dumps(saved | {"embedding": embedding}))
        assert words in error_message(answer, 422)


@pytest.mark.parametrize("reference", ["{}", "[]", "yes", '{"model": 1}'])
def test_another_text_is_not_a_reference(enrolling, sound, reference):
    assert "not a reference" in error_message(with_reference(enrolling, sound, reference), 422)


def test_a_silent_clip_is_named(enrolling, sound):
    clips = [("file", ("a", sound, "audio/ogg")), ("file", ("b", wav(np.zeros(16_000)), "audio/wav"))]
    assert "number 2" in error_message(enrolling.post("/reference", files=clips), 422)


def test_a_clip_that_cannot_be_read_is_named(enrolling, sound):
    clips = [("file", ("a", sound, "audio/ogg")), ("file", ("b", b"no sound at all", "audio/wav"))]
    assert error_message(enrolling.post("/reference", files=clips), 422).startswith("Recording 2 of 2: ")


def test_a_repeated_parameter_is_refused(client, sound):
    answer = client.post("/predict?model=small&model=other", content=sound, headers=OGG)
    assert "'model'" in error_message(answer, 400)


@pytest.mark.parametrize("query", ["Model=small", "reference=recording", "collection=true"])
def test_a_parameter_of_another_name_is_refused(client, sound, query):
    name = query.partition("=")[0]
    answer = error_message(client.post(f"/predict?{query}", content=sound, headers=OGG), 400)
    assert f"'{name}'" in answer and answer.endswith("There are: model, emotions.")


def test_a_value_that_is_none_is_an_error_in_words(client, sound):
    assert "'collection'" in error_message(client.post("/reference?collection=maybe", content=sound, headers=OGG), 422)


def test_a_model_without_reference_refuses_one(client, sound, no_references):
    assert "no reference clips" in error_message(client.post("/reference", content=sound, headers=OGG), 422)
    assert "no reference clips" in error_message(with_reference(client, sound, "recording"), 422)


def test_of_a_reference_clip_the_beginning_is_read(checkpoints, monkeypatch, enrolling_model, sound):
    monkeypatch.setattr(rest, "shared_model", lambda name: enrolling_model)
    client = TestClient(build_rest(RequestLimits(duration_s=90.0)))
    assert client.post("/reference", content=sound, headers=OGG).json()["speech_s"] <= 3.0


def test_only_ten_minutes_are_read(checkpoints, speech):
    client = TestClient(build_rest(RequestLimits(duration_s=2.0)))
    answer = client.post("/predict", content=wav(speech), headers={"Content-Type": "audio/wav"}).json()
    assert answer["duration_s"] == 2.0 and "2 s" in answer["notes"][0]


# --- what cannot be answered -----------------------------------------------------------------------------------------


def test_an_unknown_model_lists_what_exists(client, sound, subtests):
    for name in ["nobody", "../small", "/etc", " ", "small\x00", "x" * 5000]:
        with subtests.test(name=name):
            message = error_message(client.post("/predict", params={"model": name}, content=sound, headers=OGG), 404)
            assert repr(name[:80]) in message and "other, small" in message


def test_a_path_is_not_a_model_name(client, sound, checkpoints):
    error_message(
        client.post("/predict", params={"model": str(checkpoints / "small")}, content=sound, headers=OGG), 404
    )


def test_content_other_than_audio_is_explained(client, subtests):
    for content, words in [
        (b"", "empty"),
        (b'{"sound": "none"}', "text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG"),
        (bytes(1000), "format"),
        (b"RIFF\xff\xff\xff\x7fWAVEfmt ", "damaged"),
    ]:
        with subtests.test(words=words):
            for answer in (
                client.post("/predict", content=content, headers={"Content-Type": "audio/wav"}),
                client.post("/embed", files={"file": ("a.wav", content, "audio/wav")}),
            ):
                assert words in error_message(answer, 422)


def test_a_truncated_file_gives_a_prediction_with_a_note(client, speech):
    half = wav(speech)[:60_000]
    answer = client.post("/predict", content=half, headers={"Content-Type": "audio/wav"})
    assert answer.status_code == 200 and len(answer.json()["notes"]) == 1


def test_unknown_paths_are_json_errors(client, subtests):
    for method, path, status in [
        ("GET", "/nothing", 404),
        ("GET", "/predict", 405),
        ("OPTIONS", "/predict", 405),
        ("POST", "/predict/", 404),
        ("GET", "/models/", 404),
        ("OPTIONS", "/health/", 404),
    ]:
        with subtests.test(method=method, path=path, status=status):
            answer = client.request(method, path, follow_redirects=False)
            assert "/api/v1/docs" in error_message(answer, status)


def test_a_method_that_a_path_has_not_is_told_those_it_has(client):
    for path, allowed in {"/predict": "POST", "/health": "GET, HEAD", "/docs": "GET"}.items():
        answer = client.put(path)
        assert answer.status_code == 405 and answer.headers["Allow"] == allowed


def test_a_model_is_loaded_before_the_turn(client, sound, monkeypatch):
    """All others wait for a turn; a model takes seconds."""
    load, turns = rest.shared_model, []
    monkeypatch.setattr(rest, "shared_model", lambda name: turns.append(len(inference_queue)) or load(name))
    assert client.post("/predict", content=sound, headers=OGG).status_code == 200 and turns == [0]


def test_an_internal_error_is_reported_without_details(client, sound, monkeypatch, caplog):
    monkeypatch.setattr(rest, "prediction_record", lambda *a, **k: {}["secret"])
    answer = client.post("/predict", content=sound, headers=OGG)
    assert answer.headers[gate.REQUEST_ID_HEADER] in error_message(answer, 500) and "secret" not in answer.text
    assert answer.headers[gate.REQUEST_ID_HEADER] in caplog.text
    assert client.get("/health").json()["in_line"] == 0


def test_a_damaged_model_is_an_error(client, sound, checkpoints):
    (checkpoints / "small" / "model.safetensors").write_bytes(b"0")
    assert "damaged" in error_message(
        client.post("/predict", params={"model": "small"}, content=sound, headers=OGG), 500
    )


# --- ids and log -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["mine-1", "a b", "a\tb", "x" * 65, "'; drop", "é"])
def test_the_request_id_is_in_the_response_and_in_the_log(client, given, caplog):
    with caplog.at_level(logging.INFO, "ser_core"):
        answer = client.post("/predict", content=b"1234", headers={**OGG, gate.REQUEST_ID_HEADER: given.encode()})
    used = answer.headers[gate.REQUEST_ID_HEADER]
    assert (used == given) == (given == "mine-1") and gate.VALID_REQUEST_ID.fullmatch(used)
    (line,) = [record.getMessage() for record in caplog.records]
    words = dict(word.split("=") for word in line.split())
    assert words.keys() == {"request_id", "status", "seconds", "bytes"}
    assert (words["request_id"], words["status"], words["bytes"]) == (used, "422", "4")


# --- rates and sizes -------------------------------------------------------------------------------------------------


def test_the_bucket_of_an_address_empties_and_fills():
    now = 0.0
    rate = RateLimit(RequestLimits(requests_per_s=2.0, burst=3), clock=lambda: now)
    assert [rate.wait_s("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert rate.wait_s("b") == 0
    now = 0.5
    assert [rate.wait_s("a") for _ in range(2)] == [0, 0.5]
    now = 100
    assert [rate.wait_s("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_the_number_of_rate_limited_addresses_is_bounded(monkeypatch):
    monkeypatch.setattr(RateLimit, "MAX_ADDRESSES", 10)
    now = 0.0
    rate = RateLimit(RequestLimits(requests_per_s=1.0, burst=1), clock=lambda: now)
    assert [rate.wait_s(str(i)) for i in range(100)] == [0] * 100
    assert len(rate._buckets) <= 10 and rate.wait_s("99") == 1
    now = 5.0
    rate.wait_s("new")
    assert len(rate._buckets) <= 10


def test_too_many_requests_get_retry_after(checkpoints):
    client = TestClient(build_rest(RequestLimits(requests_per_s=0.1, burst=2)))
    answers = [client.post("/predict", content=b"1", headers=OGG) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [422, 422, 429]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 10 and error_message(answers[2], 429)
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(("trusted", "statuses"), [("127.0.0.1", (422, 422, 429)), ("192.0.2.9", (422, 429, 429))])
def test_clients_of_a_trusted_proxy_are_counted_separately(checkpoints, monkeypatch, trusted, statuses):
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", trusted)
    with served(RequestLimits(requests_per_s=1e-3, burst=1)) as port:
        found = []
        for came in (
            "192.0.2.1",
            "192.0.2.1, 192.0.2.2",
            "192.0.2.3, 192.0.2.2",
        ):  # only the last address, by the proxy, counts
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("POST", "/predict", b"1", OGG | {"X-Forwarded-For": came})
            found.append(connection.getresponse().status)
            connection.close()
    assert tuple(found) == statuses


# --- a real server ---------------------------------------------------------------------------------------------------


def ask_alone(host: str, sound: bytes) -> tuple[int, float, bytes]:
    return post_sound(http.client.HTTPConnection(host, timeout=120), sound, "/predict")


def test_a_disconnected_client_leaves_the_queue(checkpoints, sound, caplog):
    with served(ANY) as port, caplog.at_level(logging.INFO, "ser_core"):
        with inference_queue.turn():
            gone = [raw(port, head(len(sound)), sound) for _ in range(3)]
            wait_until(lambda: len(inference_queue) == 4)
            for connection in gone:
                connection.close()
            wait_until(lambda: len(inference_queue) == 1)
        raw(port, head(len(sound)), sound[:100]).close()  # in the middle of the body
        wait_until(lambda: caplog.text.count(f"status={gate.CLIENT_CLOSED_REQUEST}") == 4)
        assert ask_alone(f"127.0.0.1:{port}", sound)[0] == 200


@pytest.mark.slow
def test_a_hostile_recording_holds_nobody_up_and_ends_with_its_sender(checkpoints, sound, caplog):
    bomb = flac_constant()
    with served(ANY) as port, caplog.at_level(logging.INFO, "ser_core"):
        host = f"127.0.0.1:{port}"
        assert ask_alone(host, sound)[0] == 200
        senders = [raw(port, head(len(bomb)), bomb) for _ in range(2)]
        wait_until(lambda: len(decoder_pool._running) == 2)
        started = time.monotonic()
        assert ask_alone(host, sound)[0] == 200
        assert time.monotonic() - started < 5 and len(decoder_pool._running) == 2
        for sender in senders:
            sender.close()
        wait_until(lambda: not decoder_pool._running)
        wait_until(lambda: caplog.text.count(f"status={gate.CLIENT_CLOSED_REQUEST}") == 2)


@pytest.mark.parametrize("question", ["/predict", "/windows", "/embed"])
def test_inference_stops_when_the_client_disconnects(checkpoints, monkeypatch, question, caplog):
    minutes = wav(np.random.default_rng(0).uniform(-0.3, 0.3, 16_000 * 60))
    shares, began = [], threading.Event()

    def record_share(report, share: float) -> None:
        shares.append(share)
        began.set()
        until = time.monotonic() + 30
        while time.monotonic() < until:  # until the disconnect is noticed
            report(share)
            time.sleep(0.01)

    for name in ("prediction_record", "embedding_record"):
        original = getattr(rest, name)
        monkeypatch.setattr(
            rest,
            name,
            lambda *a, progress, original=original, **k: original(*a, progress=partial(record_share, progress), **k),
        )
    with served(ANY) as port, caplog.at_level(logging.INFO, "ser_core"):
        client = raw(port, head(len(minutes)).replace(b"/predict", question.encode()), minutes)
        assert began.wait(60)
        client.close()
        wait_until(lambda: f"status={gate.CLIENT_CLOSED_REQUEST}" in caplog.text)
    assert len(shares) == 1 and shares[0] < 1


@pytest.mark.slow
def test_many_clients_get_a_prediction_or_retry_after(checkpoints, sound):
    n_crowd = 200
    with served(ANY) as port, ThreadPoolExecutor(n_crowd) as pool:
        host = f"127.0.0.1:{port}"
        alone = json.loads(ask_alone(host, sound)[2])
        before = machine.resident_bytes()
        with inference_queue.turn():  # no response until all requests are sent
            crowd = [pool.submit(ask_alone, host, sound) for _ in range(n_crowd)]
            wait_until(lambda: sum(one.done() for one in crowd) == n_crowd - MAX_WAITING_REQUESTS)
            refused = [one.result() for one in crowd if one.done()]
        answered = [one.result() for one in crowd if one.result()[0] == 200]
    assert {status for status, _, _ in refused} == {503} and all(seconds >= 1 for _, seconds, _ in refused)
    assert len(answered) == MAX_WAITING_REQUESTS
    assert all(json.loads(body) == alone for _, _, body in answered)
    assert len(inference_queue) == 0
    if before:
        assert machine.resident_bytes() - before < 200_000_000


def test_concurrent_clients_get_their_own_predictions(checkpoints):
    sounds = {name: (ROOT / "assets" / "samples" / name).read_bytes() for name in ("low_slow.ogg", "high_fast.ogg")}
    with served(ANY) as port, ThreadPoolExecutor(2) as pool:
        host = f"127.0.0.1:{port}"
        alone = {name: ask_alone(host, sound)[2] for name, sound in sounds.items()}
        assert len(set(alone.values())) == 2

        def repeat(name: str) -> set[bytes]:
            connection = http.client.HTTPConnection(host, timeout=60)
            return {post_sound(connection, sounds[name], "/predict")[2] for _ in range(10)}

        found = dict(zip(sounds, pool.map(repeat, sounds), strict=True))
    assert found == {name: {answer} for name, answer in alone.items()}
