"""Live sessions: no audio is lost or processed twice, sessions are separate and expire."""

import base64
import threading
from dataclasses import replace

import numpy as np
import pytest

from ser_core.audio.decoding.stream import AudioError
from ser_core.audio.io import encode_wav, load_audio
from ser_core.inference.enrolment import speaker_reference
from ser_core.inference.model_cache import shared_model, unload_models
from ser_core.inference.reference import SpeakerReferenceError
from ser_core.inference.smoothing import NO_SPEECH
from ser_core.inference.streaming.session import LIVE_HOP_S
from ser_core.labels import EMOTIONS
from ser_core.models.names import UnknownModel
from ser_core.serving.live import sessions as module
from ser_core.serving.live.sessions import SESSION_IDLE_S, LiveSessionError, LiveSessions, decode_chunk
from ser_core.serving.one_time_store import OneTimeStore

RATE = 16_000
HOP = RATE // 2


@pytest.fixture
def place() -> OneTimeStore:
    return OneTimeStore()


@pytest.fixture
def on(checkpoints, place) -> LiveSessions:
    """Sessions with one of the page "a"."""
    unload_models()
    made = LiveSessions(place)
    for page in ("a", "b"):
        made.open(page, "192.0.2.1")
    made.start("a", "small", RATE)
    yield made
    unload_models()


def encoded(samples: np.ndarray) -> str:
    return base64.b64encode(np.round(samples * 32767).astype("<i2").tobytes()).decode()


def fed(on: LiveSessions, page: str, samples: np.ndarray, step: int = HOP) -> list[dict]:
    return [on.feed(page, at, encoded(samples[at : at + step])) for at in range(0, len(samples), step)]


def test_each_half_second_has_an_answer_and_the_end_a_summary(on, speech):
    answers = fed(on, "a", speech)
    assert len([answer for answer in answers if answer]) == len(speech) // HOP
    assert sum(answers[3]["probabilities"].values()) == pytest.approx(1)
    assert on.stop("a")["has_speech"]


def test_a_start_that_fails_keeps_the_recording_before_it(on, speech, clips_of_others):
    fed(on, "a", speech)
    for fault in ({"model": "none"}, {"model": "small", "reference": clips_of_others}):
        with pytest.raises((UnknownModel, SpeakerReferenceError)):
            on.start("a", sample_rate=RATE, **fault)
    assert on.stop("a")["has_speech"] and on.hand_over("a")["token"]


@pytest.fixture
def clips_of_others(speech, on) -> dict:
    """A reference that another model made."""
    return speaker_reference(shared_model("other"), [speech]).to_dict()


def test_a_running_reference_is_refused_by_models_that_take_none(on, no_references):
    with pytest.raises(SpeakerReferenceError):
        on.start("b", "small", RATE, running_reference=True)


def test_an_enrolled_voice_is_checked_and_used(on, speech):
    small = shared_model("small")
    values = speaker_reference(small, [speech]).to_dict()
    small.calibration = replace(small.calibration, reference_min_confidence=0.9)
    assert on.start("a", "small", RATE, running_reference=True, reference=values)["min_confidence"] == 0.9
    assert on.start("a", "small", RATE, reference=values)["min_confidence"] == 0.9
    for running in (False, True):  # there is none at the start
        threshold = on.start("b", "small", RATE, running_reference=running)["min_confidence"]
        assert threshold == small.calibration.min_confidence != 0.9
    assert fed(on, "a", speech[: 4 * HOP])[-1]["min_confidence"] == 0.9
    on.start("a", "small", RATE, running_reference=True, reference=values)
    assert "Relative to your enrolled voice." in fed(on, "a", speech[: 4 * HOP])[-1]["detail"]
    for damaged in ({}, {**values, "model": "other"}, "text", {**values, "embedding": [1.0]}):
        with pytest.raises(SpeakerReferenceError):
            on.start("b", "small", RATE, reference=damaged)


def test_a_session_chooses_among_the_emotions_that_can_occur(on, speech):
    assert on.start("b", "small", RATE)["possible_emotions"] == EMOTIONS
    started = on.start("a", "small", RATE, emotions=["sad", "happy"])
    assert started["possible_emotions"] == ("happy", "sad")
    answers = [answer for answer in fed(on, "a", speech[: 4 * HOP]) if answer["emotion"]]
    assert answers and {answer["emotion"] for answer in answers} <= {"happy", "sad"}
    assert all(sum(p > 0 for p in answer["probabilities"].values()) == 2 for answer in answers)
    assert shared_model("small").possible_emotions == EMOTIONS  # that of others


def test_silence_is_not_speech(on):
    answers = fed(on, "a", np.zeros(2 * RATE))
    assert {answer["answer"] for answer in answers} == {NO_SPEECH} and not answers[0]["probabilities"]
    assert not on.stop("a")["has_speech"]


def test_late_chunks_are_kept_and_processed_once(on, place, speech):
    answers = fed(on, "a", speech, step=4 * HOP)
    assert len(answers) == -(-len(speech) // (4 * HOP)) and all(answers)
    kept = load_audio(place.take(on.hand_over("a")["token"]))
    np.testing.assert_allclose(kept, speech, atol=1.1 / 32767)


def test_repeated_chunks_are_processed_once(on, place, speech):
    on.feed("a", 0, encoded(speech[:HOP]))
    on.feed("a", 0, encoded(speech[: 2 * HOP]))  # the response to the first was lost
    on.feed("a", 2 * HOP, encoded(speech[2 * HOP : 3 * HOP]))
    on.feed("a", 3 * HOP + 100, encoded(speech[3 * HOP : 4 * HOP]))  # the page lost some: all that comes is kept
    kept = load_audio(place.take(on.hand_over("a")["token"]))
    np.testing.assert_allclose(kept, speech[: 4 * HOP], atol=1.1 / 32767)


def test_the_lag_is_in_seconds_of_the_page(on):
    on.start("a", "small", RATE // 2)
    assert on.feed("a", 0, encoded(np.zeros(RATE)))["lag_s"] == pytest.approx(LIVE_HOP_S)


def test_a_recording_that_is_handed_over_again_is_stored_once(on, place, speech):
    """Three copies of an hour would fill the store, for everybody."""
    on.feed("a", 0, encoded(speech[:HOP]))
    first = on.hand_over("a")["token"]
    assert on.hand_over("a")["token"] == first and len(place) == 1
    on.feed("a", HOP, encoded(speech[HOP : 2 * HOP]))
    longer = on.hand_over("a")["token"]
    assert len(place) == 1 and len(load_audio(place.take(longer))) == 2 * HOP
    assert len(load_audio(place.take(on.hand_over("a")["token"]))) == 2 * HOP  # the first one was opened


def test_concurrent_pages_do_not_interfere(on, speech):
    other = np.roll(speech, RATE)[::-1]
    alone = fed(on, "a", speech)
    on.start("a", "small", RATE)
    on.start("b", "small", RATE)
    together = {}
    threads = [
        threading.Thread(target=lambda page=page, samples=samples: together.update({page: fed(on, page, samples)}))
        for page, samples in (("a", speech), ("b", other))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together["a"] == alone and together["b"] != alone


def test_a_closed_page_is_forgotten(on, speech):
    fed(on, "a", speech[:HOP])
    on.forget("a")
    on.forget("never here")
    assert len(on) == 0
    with pytest.raises(LiveSessionError, match="Download"):
        on.feed("a", HOP, encoded(speech[:HOP]))


def test_a_lost_connection_ends_no_session_and_a_closed_page_does(checkpoints, place, speech):
    now, calls = [0.0], []
    on = LiveSessions(place, lambda: now[0], lambda after_s, function: calls.append((after_s, function)))
    on.open("a", "192.0.2.1")
    on.start("a", "small", RATE)
    fed(on, "a", speech[:HOP])
    on.leave("a")
    now[0] = SESSION_IDLE_S - 1
    assert on.feed("a", HOP, encoded(speech[HOP : 2 * HOP]))  # the network is back
    now[0] = SESSION_IDLE_S
    for _ in range(2):  # in use, then not any more
        after_s, function = calls.pop()
        assert after_s == SESSION_IDLE_S and len(on) == 1
        function()
        now[0] += SESSION_IDLE_S
    assert len(on) == 0 and not calls
    with pytest.raises(LiveSessionError, match="Reload"):
        on.start("a", "small", RATE)


def test_pages_that_were_left_make_room(checkpoints, monkeypatch):
    monkeypatch.setattr(module, "MAX_SESSIONS_PER_ADDRESS", 2)
    monkeypatch.setattr(module, "MAX_LIVE_SESSIONS", 3)
    on = LiveSessions(later=lambda after_s, function: None)
    for page, address in (("a", "192.0.2.1"), ("b", "192.0.2.1"), ("c", "192.0.2.1"), ("d", "192.0.2.2")):
        on.open(page, address)
    for page in ("a", "b", "d"):
        on.start(page, "small", RATE)
    on.leave("b")
    on.start("c", "small", RATE)  # of its address
    on.leave("a")
    on.open("e", "192.0.2.3")
    on.start("e", "small", RATE)  # of all
    assert on.stop("c") and on.stop("d") and on.stop("e")
    on.leave("e")
    assert on.stop("e")  # is back
    on.open("f", "192.0.2.4")
    with pytest.raises(LiveSessionError, match="maximum"):
        on.start("f", "small", RATE)


def test_only_open_pages_have_sessions(on, monkeypatch):
    """The end of another page is never reported: its recording would be kept for ever."""
    on.forget("a")  # closed, or the server was restarted
    with pytest.raises(LiveSessionError, match="Reload"):
        on.start("a", "small", RATE)
    monkeypatch.setattr(module, "shared_model", lambda name: on.forget("b") or shared_model(name))
    with pytest.raises(LiveSessionError, match="Reload"):
        on.start("b", "small", RATE)  # closed while the model was loaded
    assert len(on) == 0


def test_one_address_cannot_displace_the_pages_of_others(on, monkeypatch):
    monkeypatch.setattr(module, "MAX_KNOWN_PAGES", 5)
    for k in range(10):
        on.open(str(k), "192.0.2.2")
    on.start("b", "small", RATE)
    on.start("9", "small", RATE)
    with pytest.raises(LiveSessionError, match="Reload"):
        on.start("0", "small", RATE)


def test_a_restart_deletes_the_recording(on, place, speech):
    fed(on, "a", speech)
    on.start("a", "other", RATE)
    fed(on, "a", speech[:HOP])
    assert len(on) == 1 and len(load_audio(place.take(on.hand_over("a")["token"]))) == HOP


def test_there_is_an_end_to_sessions_and_idle_ones_make_room(checkpoints, monkeypatch):
    monkeypatch.setattr(module, "MAX_LIVE_SESSIONS", 2)
    now = [0.0]
    on = LiveSessions(clock=lambda: now[0])
    for page in ("a", "b", "c"):
        on.open(page, "192.0.2.1")
    on.start("a", "small", RATE)
    now[0] = 1.0
    on.start("b", "small", RATE)
    with pytest.raises(LiveSessionError, match="maximum"):
        on.start("c", "small", RATE)
    now[0] = SESSION_IDLE_S
    on.start("c", "small", RATE)
    with pytest.raises(LiveSessionError, match=r"(?i)session"):
        on.stop("a")
    assert len(on) == 2 and on.stop("b")


def test_the_session_that_is_idle_for_longest_makes_room(on, monkeypatch):
    monkeypatch.setattr(module, "MAX_LIVE_SESSIONS", 2)
    now = [0.0]
    on._clock = lambda: now[0]
    on.start("a", "small", RATE)
    on.start("b", "small", RATE)
    on.open("c", "192.0.2.1")
    now[0] = SESSION_IDLE_S
    on.stop("a")  # is used, though it was started first
    on.start("c", "small", RATE)
    assert on.stop("a") and on.stop("c")
    with pytest.raises(LiveSessionError, match="not exist"):
        on.stop("b")


def test_one_address_cannot_take_all_sessions(checkpoints, monkeypatch):
    monkeypatch.setattr(module, "MAX_SESSIONS_PER_ADDRESS", 2)
    on = LiveSessions()
    for page, address in (("a", "192.0.2.1"), ("b", "192.0.2.1"), ("c", "192.0.2.1"), ("d", "192.0.2.2")):
        on.open(page, address)
    on.start("a", "small", RATE)
    on.start("b", "small", RATE)
    with pytest.raises(LiveSessionError, match="address"):
        on.start("c", "small", RATE)
    on.start("d", "small", RATE)
    on.start("b", "small", RATE)
    on.forget("a")
    on.start("c", "small", RATE)


def test_the_recordings_of_all_sessions_are_bounded(on, speech, monkeypatch):
    fed(on, "a", speech)
    monkeypatch.setattr(module, "MAX_RECORDED_BYTES", 1000)
    with pytest.raises(LiveSessionError, match="too many recordings"):
        on.feed("a", 10**6, encoded(speech[:HOP]))
    assert on.stop("a")


def test_only_models_by_name(on, subtests):
    for model in ["../small", "/etc", "", "small/", 5]:
        with subtests.test(model=model), pytest.raises(UnknownModel):
            on.start("a", model, RATE)


def test_what_is_no_sound_is_refused(subtests):
    for samples in ["not base64!", "AA==", None, [1, 2], {"a": 1}]:
        with subtests.test(samples=samples), pytest.raises(AudioError):
            decode_chunk(samples)


def test_too_much_at_once_is_refused(monkeypatch):
    monkeypatch.setattr(module, "MAX_CHUNK_CHARACTERS", 8)
    with pytest.raises(AudioError, match="too much"):
        decode_chunk("A" * 12)


def test_integers_are_written_as_they_are(speech):
    whole = np.round(speech * 32767).astype(np.int16)
    assert encode_wav(whole) == encode_wav(speech)
