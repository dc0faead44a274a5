"""A server of its own for a script or a test, and one request to it."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from ser_core import paths
from ser_core.serving import API_PATH

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
START_S, PATIENCE_S = 120.0, 60.0
LISTENS = "/_stcore/health"  # of Streamlit, before REST and the live page are built: requests to these wait


@contextmanager
def running_server(*options: str, **variables: str) -> Iterator[tuple[str, int]]:
    """The address and the process id of a server of its own, with these options and environment variables."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "scripts.serve", "--port", str(port), "--headless", *options]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=paths.ROOT, env=os.environ | variables, **quiet)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(address + LISTENS, process)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _wait_for(address: str, process: subprocess.Popen) -> None:
    until = time.monotonic() + START_S
    while True:
        try:
            return urlopen(address, timeout=PATIENCE_S).close()
        except URLError:
            if process.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.05)


def peak_bytes(process_id: int) -> int:
    """The most main memory that a process has taken; 0 once it has ended, or where the system does not say."""
    return _status_bytes(process_id, "VmHWM:")


def resident_bytes(process_id: int) -> int:
    """The main memory that a process takes now; 0 where the system does not say."""
    return _status_bytes(process_id, "VmRSS:")


def _status_bytes(process_id: int, name: str) -> int:
    try:
        lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(name)), 0)


def chromium() -> str | None:
    """The browser that is installed; None where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def launch(playwright, *flags: str):
    """The browser, without a window."""
    return playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", *flags])


def browser_with_microphone(playwright, recording: str):
    """Chromium whose microphone plays a WAV file, again and again unless its path ends in `%noloop`."""
    fake = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    return launch(playwright, *fake, f"--use-file-for-fake-audio-capture={recording}")


def post_sound(connection: HTTPConnection, sound: bytes, path: str = API_PATH + "/predict") -> tuple[int, float, bytes]:
    """(status, seconds to wait before the next try, body) of one request."""
    connection.request("POST", path, sound, {"Content-Type": "application/octet-stream"})
    response = connection.getresponse()
    return response.status, float(response.headers.get("Retry-After", 0)), response.read()
