"""A child process that decodes one file after the other, as its parent sees it."""

import json
import math
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from ser_core.audio.decoding.stream import AudioError

LIBRARY_MEMORY_BYTES = 450_000_000  # address space of the interpreter, the libraries and the buffers of the decoders
COPIES_OF_FILE, BYTES_PER_SECOND = 3, 4 * 4 * 16_000  # in memory at once: the file; four float32 copies at 16 kHz
MIN_CPU_S, CPU_S_PER_SECOND = 5.0, 1 / 120  # ordinary files take a thousandth of their duration
BUSY_FACTOR = 6  # elapsed by CPU time of a job on a busy machine; beyond, the child is ended
CHECK_INTERVAL_S = 0.05
SENT_SAMPLES = 1 << 20  # in one message
CHILD_CODE = "from ser_core.audio.isolation.decoder_process import main; main()"
EXPORT_AGAIN = "It is damaged, or made to overload programs. Export the recording again, as 16-bit WAV."


@dataclass(frozen=True)
class DecoderJob:
    """What a child is asked for, besides the content of the file."""

    sample_rate: int  # of the result, in Hz
    max_duration_s: float
    memory_bytes: int  # limit of the address space of the child
    cpu_s: int  # limit of the CPU time


def decoder_job(n_bytes: int, sample_rate: int, max_duration_s: float) -> DecoderJob:
    """The job for a file of n_bytes, with limits that an ordinary recording stays far below."""
    seconds = max_duration_s * max(1.0, sample_rate / 16_000)
    memory_bytes = LIBRARY_MEMORY_BYTES + COPIES_OF_FILE * n_bytes + math.ceil(BYTES_PER_SECOND * seconds)
    cpu_s = math.ceil(MIN_CPU_S + CPU_S_PER_SECOND * max_duration_s)
    return DecoderJob(sample_rate, max_duration_s, memory_bytes, cpu_s)


class DecoderProcess:
    """One child. It ends with this process, also when that is killed."""

    def __init__(self):
        """
        Raises:
            OSError: the system allows no further process.
        """
        own, other = socket.socketpair()
        with other:
            command = [sys.executable, "-P", "-c", CHILD_CODE, str(other.fileno())]
            silent = subprocess.DEVNULL  # libraries in C would print names and tags of the file
            self._process = subprocess.Popen(
                command,
                stdin=silent,
                stdout=silent,
                stderr=silent,
                pass_fds=[other.fileno()],
                env=_child_environment(),
                start_new_session=True,  # Ctrl-C is for the parent
            )
        self._connection = Connection(own.detach())
        self._is_last = False  # the child has taken much memory, which only its end gives back

    @property
    def is_usable(self) -> bool:
        """Whether the child can take a file."""
        return not (self._is_last or self._connection.closed or self._connection.poll(0) or self._process.poll())

    def run(self, data: bytes, job: DecoderJob, check: Callable[[], None]) -> tuple[dict, np.ndarray]:
        """
        Returns:
            The reply of the child, and its samples, float32, shape = (n_samples,).

        Raises:
            AudioError: the child crashed or reached a limit. It is not usable any more.
        """
        try:
            self._connection.send_bytes(json.dumps(asdict(job)).encode())
            self._connection.send_bytes(data)
            self._wait(job, check)
            reply = json.loads(self._connection.recv_bytes())
            self._is_last = reply["is_last"]
            return reply, self._samples(reply.get("n_samples", 0))
        except (EOFError, OSError, ValueError):
            raise AudioError(self._reason(job)) from None

    def _wait(self, job: DecoderJob, check: Callable[[], None]) -> None:
        """Until the reply, or the end of the child."""
        deadline_s = time.monotonic() + BUSY_FACTOR * job.cpu_s
        while not self._connection.poll(CHECK_INTERVAL_S):
            check()
            if time.monotonic() > deadline_s:
                raise TimeoutError

    def _samples(self, n_samples: int) -> np.ndarray:
        samples = np.empty(n_samples, np.float32)
        for start in range(0, n_samples, SENT_SAMPLES):
            self._connection.recv_bytes_into(samples[start : start + SENT_SAMPLES].view(np.uint8).data)
        return samples

    def _reason(self, job: DecoderJob) -> str:
        with suppress(subprocess.TimeoutExpired):
            status = self._process.wait(1.0)
            if status != -_SIGXCPU:
                return f"This file makes the decoder crash. {EXPORT_AGAIN}"
        return f"Decoding of this file was stopped: it takes more than {job.cpu_s} s of computing. {EXPORT_AGAIN}"

    def close(self) -> None:
        """Ends the child."""
        self._connection.close()
        self._process.kill()
        self._process.wait()

    def release(self) -> None:
        """Leaves the child to the process that started it, in a fork of that."""
        self._connection.close()
        self._process.returncode = 0  # or its destructor would wait for a process that is not its own


_SIGXCPU = 24


def _child_environment() -> dict[str, str]:
    """Imports the same code; one thread and one heap, so that the address space is that of the work."""
    paths = [str(Path(__file__).parents[3]), *filter(None, [os.environ.get("PYTHONPATH")])]
    single = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    return os.environ | single | {"PYTHONPATH": os.pathsep.join(paths)}
