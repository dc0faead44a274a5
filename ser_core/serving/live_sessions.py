"""The microphones that are on: a session for each page, in memory, until the page is closed.

A page asks by plain dicts, as they come from the browser, and gets dicts. Each page sends one chunk at a time, and what
it records meanwhile with the next one: nothing is lost, and a slow machine gives fewer answers instead of late ones.
"""

import base64
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ser_core.audio import AudioError, encode_wav
from ser_core.inference import LiveSession, shared_model
from ser_core.models import resolve_model
from ser_core.serving.live_text import SessionTotals, live_message, session_summary
from ser_core.serving.one_time_store import OneTimeStore, recording_store

MAX_LIVE_SESSIONS = 16
SESSION_IDLE_S = 600.0  # a page that was silent for so long may lose its place to a new one
MAX_CHUNK_CHARACTERS = 20_000_000  # of one chunk: 2.5 min at 48 kHz, five times what a page sends at once


class LiveSessionError(ValueError):
    """A page that cannot be served; the message names the cause and the cure."""


@dataclass
class _PageSession:
    session: LiveSession
    sample_rate: int  # of what it sends, in Hz
    totals: SessionTotals = field(default_factory=SessionTotals)
    n_received: int = 0  # samples
    last_used_s: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class LiveSessions:
    """Sessions by the name of their page, which only that page knows. Safe to use from any thread."""

    def __init__(self, store: OneTimeStore = recording_store, clock: Callable[[], float] = time.monotonic):
        self._store, self._clock = store, clock
        self._sessions: dict[str, _PageSession] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many pages have a session."""
        return len(self._sessions)

    def start(self, page: str, model: str, sample_rate: int) -> dict:
        """Begin a session; an earlier one of this page is forgotten.

        Args:
            page: names it from now on.
            model: one of available_models().
            sample_rate: of what will be sent, in Hz.

        Returns:
            {"min_confidence", "window_s"} of the model.

        Raises:
            UnknownModel: no such model.
            LiveError: too many sessions.
        """
        found = shared_model(resolve_model(str(model)))
        with self._lock:
            self._sessions.pop(page, None)
            self._make_room()
            session = LiveSession(found, keep_recording=True)
            self._sessions[page] = _PageSession(session, int(sample_rate), last_used_s=self._clock())
        return {"min_confidence": found.calibration.min_confidence, "window_s": found.config.window_s}

    def feed(self, page: str, at: int, samples: str) -> dict:
        """Hear the next sound.

        Args:
            at: how many samples the page sent before; what was heard already is skipped.
            samples: 16-bit little-endian mono, as base64.

        Returns:
            `told`, or {} when no answer is due.

        Raises:
            AudioError: no sound, or too much at once.
            LiveError: the session is gone.
        """
        microphone = self._page_session(page)
        chunk = decode_chunk(samples)
        with microphone.lock:
            new = chunk[max(0, microphone.n_received - at) :]
            answer = microphone.session.feed(new, microphone.sample_rate)
            microphone.n_received += len(new)
            if answer is None:
                return {}
            microphone.totals.add(answer)
            return live_message(answer, microphone.n_received / microphone.sample_rate)

    def stop(self, page: str) -> dict:
        """What was heard: `session_summary`. The recording stays until the page is closed or begins anew."""
        microphone = self._page_session(page)
        with microphone.lock:
            return session_summary(microphone.session.summary(), microphone.totals)

    def hand_over(self, page: str) -> dict:
        """Leave the recording for another page of this process: {"token"}.

        Raises:
            HandoverError: it is too large, or too much waits.
            LiveError: the session is gone.
        """
        microphone = self._page_session(page)
        with microphone.lock:
            return {"token": self._store.put(encode_wav(microphone.session.recording()))}

    def forget(self, page: str) -> None:
        """The page was closed."""
        with self._lock:
            self._sessions.pop(page, None)

    def _page_session(self, page: str) -> _PageSession:
        with self._lock:
            if page not in self._sessions:
                raise LiveSessionError(
                    "The server has forgotten this session. Start again; the recording can be downloaded."
                )
            self._sessions[page].last_used_s = self._clock()
            return self._sessions[page]

    def _make_room(self) -> None:
        if len(self._sessions) < MAX_LIVE_SESSIONS:
            return
        page, oldest = min(self._sessions.items(), key=lambda item: item[1].last_used_s)
        if self._clock() - oldest.last_used_s < SESSION_IDLE_S:
            raise LiveSessionError(f"{MAX_LIVE_SESSIONS} microphones are on, the most there can be. Try again later.")
        del self._sessions[page]


def decode_chunk(samples: str) -> np.ndarray:
    """Samples as a page sends them: int16, shape = (n_samples,).

    Raises:
        AudioError: something else, or too much of it.
    """
    if not isinstance(samples, str) or len(samples) > MAX_CHUNK_CHARACTERS:
        raise AudioError("More sound came at once than is heard at once. Start again.")
    try:
        return np.frombuffer(base64.b64decode(samples, validate=True), "<i2")
    except ValueError:
        raise AudioError("What the page sent is no sound. Reload the page and start again.") from None
