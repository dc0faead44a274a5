"""The time limit on the head of a request, with a real server."""

import http.client
import time

import pytest
from uvicorn.config import HTTP_PROTOCOLS

from ser_core.serving.protection import request_head
from tests.serving.rest.server import ANY, head, raw, served, status_of

TIMEOUT_S = 0.4


@pytest.fixture
def port(monkeypatch):
    monkeypatch.setattr(request_head, "HEAD_TIMEOUT_S", TIMEOUT_S)
    monkeypatch.setitem(HTTP_PROTOCOLS, "auto", HTTP_PROTOCOLS["auto"])
    request_head.limit_request_heads()
    with served(ANY) as port:
        yield port


@pytest.mark.parametrize("begun", [b"", b"GET /health HTTP/1.1\r\nHost: here\r\nX-Slow: "])
def test_a_head_that_does_not_end_closes_the_connection(port, begun):
    assert raw(port, begun).recv(1) == b""


def test_a_head_byte_by_byte_has_no_more_time(port):
    connection, began = raw(port, b"GET /health HTTP/1.1\r\nX-Slow: "), time.monotonic()
    with pytest.raises(OSError):
        while time.monotonic() - began < 20 * TIMEOUT_S:
            connection.sendall(b"a")
            time.sleep(TIMEOUT_S / 8)


@pytest.mark.slow
def test_a_body_and_the_next_request_have_their_own_time(port):
    connection = raw(port, head(4), b"ab")
    time.sleep(2 * TIMEOUT_S)
    connection.sendall(b"cd")
    assert status_of(connection) == 422
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(2):
        kept.request("GET", "/health")
        assert kept.getresponse().read()
        time.sleep(2 * TIMEOUT_S)
    kept.sock.sendall(b"GET /health HTTP/1.1\r\n")
    assert kept.sock.recv(1) == b""
