"""Measures the live microphone: people who speak at once, from the chunk that arrives to the prediction.

python -m scripts.bench.live [--people 1 4] [--seconds 120] [--model NAME]

Each sends a quarter of a second of speech at 48 kHz in real time, one request at a time, the chunks in between with the
next, as the page does; what the browser and the way to it take is not in the figures. One JSON object a line.
"""

import base64
import json
import os
import sys
import threading
import time

import numpy as np

from scripts.bench.server import resident_bytes
from scripts.common.errors import explains
from scripts.common.flags import command_parser
from ser_core import (
    paths,
    threads,  # noqa: F401 - before torch
)
from ser_core.audio import load_audio
from ser_core.inference import LIVE_HOP_S
from ser_core.models import CheckpointError, models_for_long_audio
from ser_core.serving import LiveSessions

SPEECH = paths.SAMPLES / "story.ogg"
RATE = 48_000
HOP = round(LIVE_HOP_S * RATE)


class Person:
    """Speaks for a while, and notes the delay of each prediction, in seconds."""

    def __init__(self, microphones: LiveSessions, name: str, samples: np.ndarray):
        self._microphones, self._name, self._samples = microphones, name, samples
        self.delays_s: list[float] = []  # after the newest sound
        self.speech_delays_s: list[float] = []  # after the oldest sound that is new in the prediction
        self.n_chunks = 0

    def speak(self, started: float, seconds: float) -> None:
        """From `started` (time.perf_counter) on."""
        at, n_samples = 0, round(seconds * RATE)
        while at + HOP <= n_samples:
            time.sleep(max(0.0, started + (at + HOP) / RATE - time.perf_counter()))
            here = int((time.perf_counter() - started) * RATE)
            until = max(at + HOP, here // HOP * HOP)  # all the chunks that are full by now
            chunk = np.take(self._samples, np.arange(at, until), mode="wrap")
            encoded = base64.b64encode(chunk.tobytes()).decode()
            reply = json.loads(json.dumps(self._microphones.feed(self._name, at, encoded)))
            self.n_chunks += (until - at) // HOP
            at = until
            if reply:
                self.delays_s.append(time.perf_counter() - started - until / RATE)
                self.speech_delays_s.append(self.delays_s[-1] + reply["lag_s"])


def measured(model: str, n_people: int, seconds: float, speech: np.ndarray) -> dict:
    """All of them at once, each at another place of the same speech."""
    microphones = LiveSessions()
    people = [Person(microphones, str(k), np.roll(speech, k * RATE)) for k in range(n_people)]
    for k in range(n_people):
        microphones.open(str(k), f"person {k}")  # an address each: one may have few sessions
        microphones.start(str(k), model, RATE)
    before_mb = memory_mb()
    speak_at_once(people, seconds)
    delays_s = [person.delays_s for person in people]
    return {
        "people": n_people,
        "seconds": seconds,
        "chunks": sum(person.n_chunks for person in people),
        "answers": sum(map(len, delays_s)),
        "chunk_to_answer_ms": percentiles_ms(delays_s),
        "speech_to_answer_ms": percentiles_ms([person.speech_delays_s for person in people]),
        "first_quarter_ms": percentiles_ms([part[: len(part) // 4] for part in delays_s]),
        "last_quarter_ms": percentiles_ms([part[-(len(part) // 4) :] for part in delays_s]),
        "memory_mb": {"before": before_mb, "after": memory_mb()},
        "recordings_mb": round(n_people * seconds * 32_000 / 1e6, 1),
        "load": round(os.getloadavg()[0], 1),
    }


def speak_at_once(people: list[Person], seconds: float) -> None:
    started = time.perf_counter()
    talking = [threading.Thread(target=person.speak, args=(started, seconds)) for person in people]
    for thread in talking:
        thread.start()
    for thread in talking:
        thread.join()


def percentiles_ms(delays_s: list[list[float]]) -> dict[str, float]:
    """Of all of them."""
    values_ms = 1000 * np.concatenate(delays_s)
    return {f"p{share}": round(float(np.percentile(values_ms, share)), 1) for share in (50, 95)}


def memory_mb() -> float:
    """Of this process."""
    return round(resident_bytes(os.getpid()) / 1e6, 1)


@explains(CheckpointError)
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--model", default=next(iter(models_for_long_audio()), ""))
    options = parser.parse_args(arguments)
    speech = np.round(32767 * load_audio(SPEECH, RATE)).astype(np.int16)
    measured(options.model, 1, 5, speech)  # warm: the first predictions load speech detection
    for n_people in options.people:
        print(json.dumps(measured(options.model, n_people, options.seconds, speech)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
