"""The program of a decoding child: one answer a file, and its end."""

import json
import subprocess
import sys
from dataclasses import asdict
from multiprocessing import Pipe

import numpy as np
import pytest

from ser_core.audio.io import encode_wav
from ser_core.audio.isolation.child import decoder_job
from tests.make_audio import tone

WAVEFORM = tone(0.5, 16_000)[:, 0]
CODE = "from ser_core.audio.isolation.decoder_process import main; main()"


@pytest.fixture
def child():
    """The connection to a running child, and its process."""
    ours, theirs = Pipe()
    process = subprocess.Popen([sys.executable, "-c", CODE, str(theirs.fileno())], pass_fds=[theirs.fileno()])
    theirs.close()
    yield ours, process
    ours.close()
    process.wait(30)


def ask(connection, content: bytes) -> dict:
    connection.send_bytes(json.dumps(asdict(decoder_job(len(content), 16_000, 60.0))).encode())
    connection.send_bytes(content)
    return json.loads(connection.recv_bytes())


def test_it_answers_one_file_after_the_other_until_the_connection_closes(child):
    connection, process = child
    for _ in range(2):
        reply = ask(connection, encode_wav(WAVEFORM))
        samples = np.frombuffer(connection.recv_bytes(), np.float32)
        assert reply["n_samples"] == len(samples) == len(WAVEFORM) and not reply["is_last"]
        assert "error" in ask(connection, b"Dear diary")
    connection.close()
    process.wait(30)  # the end of the connection or its signal, whichever is first; a child that stays raises
