"""Decoding in child processes: hostile files, crashes, limits, cancellation, the end of the parent, forks."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ser_core.audio.decoding.stream import AudioError
from ser_core.audio.io import decode_recording, encode_wav, read_audio
from ser_core.audio.isolation import child as child_module, decoder_pool as pools
from ser_core.audio.isolation.child import decoder_job
from ser_core.audio.isolation.decoder_pool import DecoderPool
from tests.audio.bombs import BOMBS, flac_constant
from tests.make_audio import FORMATS, noise, tone, with_ffmpeg
from tests.processes import children_of, eventually, has_ended

WAV = encode_wav(tone(0.5, 16_000)[:, 0])
JOB = decoder_job(len(WAV), 16_000, 60.0)


def nothing() -> None:
    """A check that lets a job continue."""


@pytest.fixture
def pool():
    pool = DecoderPool()
    yield pool
    pool.close()


@pytest.fixture
def child_code(monkeypatch):
    """A function that replaces the program of the children."""
    return lambda code: monkeypatch.setattr(child_module, "CHILD_CODE", code)


def peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


# --- the same answers ------------------------------------------------------------------------------------------------


def test_a_child_gives_what_this_process_gives(subtests):
    for name, encode in FORMATS.items():
        with subtests.test(name=name):
            content = encode(noise(1.0, 48_000), 48_000)[:-100]  # damaged: notes are transmitted too
            with suppress(AudioError):
                expected = decode_recording(content, 16_000, 0.7)
                recording = read_audio(content, max_duration_s=0.7)
                np.testing.assert_array_equal(recording.waveform, expected.waveform)
                assert vars(recording) | {"waveform": 0} == vars(expected) | {"waveform": 0}
                recording.waveform[0] = 0.0  # writable


def test_the_reason_is_that_of_this_process():
    for content in (b"Dear diary", b"\x89PNG\r\n\x1a\n" + bytes(99), WAV[:44]):
        with pytest.raises(AudioError) as expected:
            decode_recording(content, 16_000, 60.0)
        with pytest.raises(AudioError) as found:
            read_audio(content)
        assert str(found.value) == str(expected.value)


def test_one_child_decodes_many_files(pool):
    for _ in range(20):
        reply, samples = pool.decode(WAV, JOB, nothing)
        assert len(samples) == reply["n_samples"] == 8_000
    (child,) = pool._idle
    assert child.is_usable and not pool._running


# --- hostile files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if "eight channels" in name else name for name in BOMBS]
)
def test_a_bomb_costs_one_answer(name, pool):
    content = BOMBS[name]()
    before = peak_bytes()
    with suppress(AudioError):
        reply, _ = pool.decode(content, replace(decoder_job(len(content), 16_000, 600.0), cpu_s=2), nothing)
        assert reply.get("error", "").endswith(".") or reply["recording"]["codec"].startswith("MP3")
    assert peak_bytes() < max(before, 100_000_000) + 100_000_000
    assert len(pool.decode(WAV, JOB, nothing)[1]) == 8_000


def test_limits_grow_with_the_file_and_the_duration():
    small, long, large = (
        decoder_job(n, 16_000, s) for n, s in ((1_000, 600.0), (1_000, 3600.0), (200_000_000, 3600.0))
    )
    assert small.memory_bytes < 700_000_000 and small.cpu_s == 10
    assert small.memory_bytes < long.memory_bytes < large.memory_bytes < pools.MAX_POOL_MEMORY_BYTES
    finer = decoder_job(1_000, 48_000, 3600.0)
    assert finer.memory_bytes - long.memory_bytes > 2 * 3600 * (48_000 - 16_000) * 4  # two copies of its samples


@pytest.mark.slow
def test_the_clock_stops_what_takes_too_long(pool):
    with pytest.raises(AudioError, match="1 s of computing"):
        pool.decode(flac_constant(), replace(decoder_job(0, 16_000, 600.0), cpu_s=1), nothing)


@pytest.mark.parametrize("code", ["import os; os.abort()", "import os, sys; os.read(int(sys.argv[1]), 1); os.abort()"])
def test_a_crash_is_an_error_of_the_file(pool, child_code, monkeypatch, code):
    child_code(code)
    with pytest.raises(AudioError, match="crash"):
        pool.decode(WAV, JOB, nothing)
    monkeypatch.undo()
    assert len(pool.decode(WAV, JOB, nothing)[1]) == 8_000


@pytest.mark.slow
def test_a_child_that_hangs_without_computing_is_ended(pool, child_code, monkeypatch):
    child_code("import time; time.sleep(600)")
    monkeypatch.setattr(child_module, "BUSY_FACTOR", 0.1)
    with pytest.raises(AudioError, match="stopped"):
        pool.decode(WAV, JOB, nothing)
    assert not pool._running and not pool._idle


def test_a_child_killed_between_two_files_is_replaced(pool):
    pool.decode(WAV, JOB, nothing)
    os.kill(pool._idle[0]._process.pid, signal.SIGKILL)
    pool._idle[0]._process.wait()
    assert len(pool.decode(WAV, JOB, nothing)[1]) == 8_000


@pytest.mark.slow
def test_a_track_that_appears_in_a_damaged_packet_ends_the_file_with_a_note():
    """Found by fuzzing: the binding of FFmpeg looks the new track up in a list that has not grown."""
    whole = with_ffmpeg(noise(0.6, 48_000), 48_000, "mpegts", "aac")
    generator, outcomes = np.random.default_rng(18), []
    for _ in range(300):
        damaged = np.frombuffer(whole, np.uint8).copy()
        damaged[generator.integers(0, len(whole), 30)] = generator.integers(0, 256, 30)
        with suppress(AudioError):
            outcomes.append(decode_recording(damaged.tobytes(), 16_000, 60.0).notes)
    assert len(outcomes) > 100


# --- cancellation and memory -----------------------------------------------------------------------------------------


def test_a_client_that_leaves_ends_its_child(pool):
    class ClientGone(Exception):
        pass

    def leave():
        raise ClientGone

    started = time.monotonic()
    with pytest.raises(ClientGone):
        pool.decode(flac_constant(), decoder_job(0, 16_000, 3600.0), leave)
    assert time.monotonic() - started < 10 and not pool._running


def test_jobs_above_the_budget_run_one_after_the_other(child_code):
    pool, most = DecoderPool(max_memory_bytes=JOB.memory_bytes), []
    threads = [threading.Thread(target=pool.decode, args=[WAV, JOB, nothing]) for _ in range(6)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most.append(len(pool._running))
    assert max(most) == 1 and pool._memory_bytes == 0
    pool.close()


def test_ones_own_recordings_lift_the_budget_while_they_are_read(pool):
    before = vars(pool).copy()
    with pool.at_once(7):
        assert pool._n_jobs_at_least == pool._max_idle == 7
    assert vars(pool) == before


@pytest.mark.slow
def test_a_child_that_took_much_memory_is_not_kept(pool, monkeypatch):
    content = encode_wav(np.zeros(30 * 60 * 16_000, np.int16))
    pool.decode(content, decoder_job(len(content), 16_000, 3600.0), nothing)
    assert not pool._idle


# --- the end of the parent, and forks --------------------------------------------------------------------------------

PARENT = """
import sys, threading, time
from ser_core.audio import read_audio
from tests.audio.bombs import flac_constant
threading.Thread(target=read_audio, args=[flac_constant()], daemon=True).start()
time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_ends_with_its_parent_in_the_middle_of_a_file(number):
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=Path(__file__).parents[2])
    assert eventually(lambda: children_of(parent.pid))
    (child,) = children_of(parent.pid)
    parent.send_signal(number)
    parent.wait()
    assert eventually(lambda: has_ended(child))


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_has_children_of_its_own():
    read_audio(WAV)
    mine = {child._process.pid for child in pools.decoder_pool._idle}
    fork = os.fork()
    if not fork:
        is_right = read_audio(WAV).duration_s == 0.5
        os._exit(not is_right or bool(mine & {child._process.pid for child in pools.decoder_pool._idle}))
    assert os.waitpid(fork, 0)[1] == 0
    assert read_audio(WAV).duration_s == 0.5
    assert mine == {child._process.pid for child in pools.decoder_pool._idle}
