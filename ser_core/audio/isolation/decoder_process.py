"""Child process of `decoder_pool`: decodes one file after the other, under limits that the system enforces."""

import json
import math
import os
import resource
import select
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import fields
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ser_core.audio.decoding.stream import AudioError
from ser_core.audio.io import Recording, decode_recording
from ser_core.audio.isolation.child import EXPORT_AGAIN, SENT_SAMPLES, DecoderJob

MAX_RESIDENT_BYTES = 150_000_000  # above it after a file the parent ends the child: its memory goes back to the system


def main() -> None:
    """Answers on the socket whose descriptor is the first argument, until the parent closes it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(int(sys.argv[1]))
    threading.Thread(target=_exit_with_parent, args=[connection.fileno()], daemon=True).start()
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)  # nothing of a recording reaches a file
    with suppress(EOFError, OSError):
        while True:
            _answer(connection)


def _resident_bytes() -> int:
    """Memory of this process; 0 where the system does not report it as Linux does."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * resource.getpagesize() if statm.exists() else 0


def _exit_with_parent(descriptor: int) -> None:
    """Ends this process in the middle of a file when the parent has closed the connection or was killed."""
    hang_up = select.poll()
    hang_up.register(descriptor, 0)
    hang_up.poll()
    os._exit(1)


def _answer(connection: Connection) -> None:
    """Decodes the next file; replies with its properties or the reason why it cannot be used, then with its samples."""
    job = DecoderJob(**json.loads(connection.recv_bytes()))
    _limit(resource.RLIMIT_AS, job.memory_bytes)
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime) + job.cpu_s)
    reply, recording = _decode(connection, job)
    reply["is_last"] = _resident_bytes() > MAX_RESIDENT_BYTES
    connection.send_bytes(json.dumps(reply).encode())
    if recording:
        for start in range(0, len(recording.waveform), SENT_SAMPLES):
            connection.send_bytes(recording.waveform[start : start + SENT_SAMPLES].tobytes())


def _limit(kind: int, value: int) -> None:
    """Lowers or raises the soft limit; not every system has every kind."""
    with suppress(ValueError, OSError):
        resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))


def _decode(connection: Connection, job: DecoderJob) -> tuple[dict[str, Any], Recording | None]:
    try:
        recording = decode_recording(connection.recv_bytes(), job.sample_rate, job.max_duration_s)
    except AudioError as error:
        return {"error": str(error)}, None
    except MemoryError:
        return {"error": f"Decoding of this file needs more memory than any recording does. {EXPORT_AGAIN}"}, None
    except Exception as error:  # of a library; one file must not end the work on others
        return {"error": f"This file cannot be read ({type(error).__name__}). {EXPORT_AGAIN}"}, None
    properties = {field.name: getattr(recording, field.name) for field in fields(Recording)}
    return {"n_samples": len(properties.pop("waveform")), "recording": properties}, recording
