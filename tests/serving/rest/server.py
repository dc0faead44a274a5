"""A REST server in this process, and raw requests to it."""

import http.client
import json
import socket
import threading
from contextlib import contextmanager

import uvicorn

from ser_core.serving.middleware import RequestLimits
from ser_core.serving.rest import build_rest
from tests.conftest import ROOT
from tests.inference.test_queue import wait_until

SPEECH = ROOT / "assets" / "samples" / "low_slow.ogg"
OGG = {"Content-Type": "audio/ogg"}
ANY = RequestLimits(requests_per_s=1e6)


@contextmanager
def served(limits: RequestLimits):
    """Port of a real server in this process."""
    server = uvicorn.Server(uvicorn.Config(build_rest(limits), port=0, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        thread.join(30)


def error_message(answer, status: int) -> str:
    """Message of an error response, its only content."""
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"} and "Traceback" not in answer.text
    return answer.json()["error"]


def raw(port: int, *parts: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    for part in parts:
        connection.sendall(part)
    return connection


def head(length: int) -> bytes:
    """Request head of a client like urllib: the server closes the connection after the response."""
    lines = ("POST /predict HTTP/1.1", "Host: here", "Connection: close", "Content-Type: audio/ogg")
    lines += (f"Content-Length: {length}",)
    return "\r\n".join((*lines, "", "")).encode()


def status_of(connection: socket.socket) -> int:
    response = http.client.HTTPResponse(connection)
    response.begin()
    assert set(json.loads(response.read())) == {"error"}
    return response.status
