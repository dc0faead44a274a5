"""Live sessions: one for each open page, in memory, until a minute after the page is closed.

Arguments and results are JSON-serialisable, as exchanged with the browser. Each page sends one chunk at a time;
audio recorded during a request goes with the next one: none is lost, and a slow machine gives fewer predictions instead
of late ones.
"""

import base64
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ser_core.audio import AudioError, encode_wav
from ser_core.inference import LiveSession, Reference, shared_model
from ser_core.labels import EMOTIONS
from ser_core.models import limit_emotions, resolve_model
from ser_core.serving.live.text import SessionTotals, live_message, session_summary
from ser_core.serving.one_time_store import OneTimeStore, recording_store, run_later

MAX_LIVE_SESSIONS, MAX_SESSIONS_PER_ADDRESS = 16, 12
MAX_RECORDED_BYTES = 300_000_000  # of all sessions: more than two hours
MAX_KNOWN_PAGES = 1000  # whose address is remembered
SESSION_IDLE_S = 60.0  # without a chunk: then a new page may take its place, and one without connection is deleted
MAX_CHUNK_CHARACTERS = 20_000_000  # of base64: 2.5 min at 48 kHz, five times the most that a page sends at once


class LiveSessionError(ValueError):
    """Session that does not exist or cannot be started; the message names the cause and the cure."""


@dataclass
class _PageSession:
    live: LiveSession
    sample_rate: int  # of the page, in Hz
    totals: SessionTotals = field(default_factory=SessionTotals)
    n_received: int = 0  # samples
    handed_over: tuple[int, str] = (0, "")  # samples then received, and the token
    last_used_s: float = 0.0
    is_left: bool = False  # the connection to its page has ended, and nothing came since then
    address: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)


class LiveSessions:
    """Sessions by the secret id of their page. Thread-safe."""

    def __init__(
        self,
        store: OneTimeStore = recording_store,
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], None] = run_later,
    ):
        self._store, self._clock, self._later = store, clock, later
        self._sessions: dict[str, _PageSession] = {}
        self._addresses: dict[str, str] = {}  # of open pages, the latest last
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Number of sessions."""
        return len(self._sessions)

    def open(self, page_id: str, address: str) -> None:
        """Remember a page that was opened, until `forget`; only such pages have sessions, limited per address."""
        with self._lock:
            self._addresses[page_id] = address
            if len(self._addresses) > MAX_KNOWN_PAGES:  # of the address with the most: it cannot displace others
                most = Counter(self._addresses.values()).most_common(1)[0][0]
                del self._addresses[next(page for page, its in self._addresses.items() if its == most)]

    def start(
        self,
        page_id: str,
        model: str,
        sample_rate: int,
        running_reference: bool = False,
        reference: dict | None = None,
        emotions: Sequence[str] | None = None,
    ) -> dict:
        """Start a session, which replaces an earlier one of this page.

        Args:
            page_id: identifies the session.
            model: one of available_models().
            sample_rate: of the chunks, in Hz.
            running_reference: see LiveSession.
            reference: of the enrolled voice, as Reference.to_dict.
            emotions: that can occur, see limit_emotions; None: all.

        Returns:
            {"min_confidence", "window_s", "possible_emotions"} of the model; the threshold with a reference, if there
            is one at the start.

        Raises:
            UnknownModel: no such model.
            SpeakerReferenceError: a reference for a model that takes none, or one that cannot be used.
            EmotionError: emotions that cannot be chosen among.
            LiveSessionError: too many sessions, or the page is not open.
        """
        loaded = limit_emotions(shared_model(resolve_model(str(model))), EMOTIONS if emotions is None else emotions)
        enrolled = None if reference is None else Reference.from_dict(reference)
        running = bool(running_reference)
        live = LiveSession(loaded, keep_recording=True, running_reference=running, reference=enrolled)
        with self._lock:
            address = self._address(page_id)
            if page_id not in self._sessions:  # an earlier one leaves its room, only now that nothing can fail
                self._make_room(address)
            self._sessions[page_id] = _PageSession(live, int(sample_rate), last_used_s=self._clock(), address=address)
        threshold = loaded.calibration.threshold(enrolled is not None)
        return {
            "min_confidence": threshold,
            "window_s": loaded.trajectory_window_s,
            "possible_emotions": loaded.possible_emotions,
        }

    def feed(self, page_id: str, offset: int, samples: str) -> dict:
        """Process the next chunk.

        Args:
            page_id: of a session.
            offset: number of samples that the page sent before; samples received already are skipped.
            samples: 16-bit little-endian mono, as base64.

        Returns:
            `live_message` of the prediction, or {} if none is due.

        Raises:
            AudioError: invalid samples, or too many at once.
            LiveSessionError: the session does not exist.
        """
        session = self._page_session(page_id)
        if self._n_recorded_bytes() > MAX_RECORDED_BYTES:
            raise LiveSessionError(
                "The server holds too many recordings. Stop, download this one, then reload the page to delete it."
            )
        chunk = decode_chunk(samples)
        with session.lock:
            new = chunk[max(0, session.n_received - offset) :]
            prediction = session.live.feed(new, session.sample_rate)
            session.n_received += len(new)
            if prediction is None:
                return {}
            session.totals.add(prediction)
            return live_message(prediction, session.n_received / session.sample_rate)

    def stop(self, page_id: str) -> dict:
        """`session_summary` of the session. The recording is kept until `leave` or the next start."""
        session = self._page_session(page_id)
        with session.lock:
            return session_summary(session.live.summary(), session.totals)

    def hand_over(self, page_id: str) -> dict:
        """Store the recording for another page of this process: {"token"}.

        Raises:
            OneTimeStoreError: it is too large, or the store is full.
            LiveSessionError: the session does not exist.
        """
        session = self._page_session(page_id)
        with session.lock:
            n_samples, token = session.handed_over
            if n_samples != session.n_received or token not in self._store:
                self._store.take(token)  # of a shorter recording
                token = self._store.put(encode_wav(session.live.recording()))
                session.handed_over = session.n_received, token
            return {"token": token}

    def leave(self, page_id: str) -> None:
        """The connection to a page has ended: its session is deleted when nothing comes for SESSION_IDLE_S.

        The page was closed, or the network failed, after which it sends what it has recorded since then.
        """
        with self._lock:
            if page_id in self._sessions:
                self._sessions[page_id].is_left = True
        self._forget_later(page_id)

    def _forget_later(self, page_id: str) -> None:
        self._later(SESSION_IDLE_S, lambda: self._forget_if_idle(page_id))

    def _forget_if_idle(self, page_id: str) -> None:
        session = self._sessions.get(page_id)
        if session and self._clock() - session.last_used_s < SESSION_IDLE_S:
            self._forget_later(page_id)  # it is back; its end may not be noticed again
        else:
            self.forget(page_id)

    def forget(self, page_id: str) -> None:
        """Delete the session of a page."""
        with self._lock:
            self._sessions.pop(page_id, None)
            self._addresses.pop(page_id, None)

    def _n_recorded_bytes(self) -> int:
        with self._lock:
            return sum(session.live.recording().nbytes for session in self._sessions.values())

    def _page_session(self, page_id: str) -> _PageSession:
        with self._lock:
            if page_id not in self._sessions:
                raise LiveSessionError(
                    "The session does not exist any more. Download the recording, then reload the page."
                )
            session = self._sessions[page_id]
            session.last_used_s, session.is_left = self._clock(), False
            return session

    def _address(self, page_id: str) -> str:
        """Of an open page; nothing would report the end of another one, and its recording would be kept."""
        if page_id not in self._addresses:
            raise LiveSessionError(
                "The server does not know this page any more: it was restarted, or the connection was lost. "
                "Reload the page."
            )
        return self._addresses[page_id]

    def _make_room(self, address: str) -> None:
        own = {page_id: session for page_id, session in self._sessions.items() if session.address == address}
        if len(own) >= MAX_SESSIONS_PER_ADDRESS:
            page_id = next((page_id for page_id, session in own.items() if session.is_left), None)
            if page_id is None:
                raise LiveSessionError(
                    f"{MAX_SESSIONS_PER_ADDRESS} sessions are open at this address. Close one of them."
                )
            del self._sessions[page_id]
        if len(self._sessions) < MAX_LIVE_SESSIONS:
            return
        page_id, oldest = min(self._sessions.items(), key=lambda item: (not item[1].is_left, item[1].last_used_s))
        if not oldest.is_left and self._clock() - oldest.last_used_s < SESSION_IDLE_S:
            raise LiveSessionError(f"{MAX_LIVE_SESSIONS} sessions are open, the maximum. Try again later.")
        del self._sessions[page_id]


def decode_chunk(samples: str) -> np.ndarray:
    """Samples of a chunk sent by a page, int16, shape = (n_samples,).

    Raises:
        AudioError: invalid samples, or too many.
    """
    if not isinstance(samples, str) or len(samples) > MAX_CHUNK_CHARACTERS:
        raise AudioError("The page sent too much audio at once. Start again.")
    try:
        return np.frombuffer(base64.b64decode(samples, validate=True), "<i2")
    except ValueError:
        raise AudioError("The page sent invalid audio. Reload it and start again.") from None
