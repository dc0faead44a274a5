"""Origin and Host check."""

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ser_core.serving.middleware import LOCALHOST_NAMES, OriginCheck


async def answer(request) -> PlainTextResponse:
    return PlainTextResponse("an answer")


def status(names, public_name: str, **headers: str) -> int:
    app = OriginCheck(Starlette(routes=[Route("/", answer)]), names, public_name)
    return TestClient(app).get("/", headers=headers).status_code


def test_a_local_server_requires_its_own_host_names(subtests):
    for host, origin, expected in [
        ("localhost:8501", "http://localhost:8501", 200),
        ("127.0.0.1:8501", "http://127.0.0.1:8501", 200),
        ("[::1]:8501", "http://[::1]:8501", 200),
        ("LocalHost:8501", "http://localhost:8501", 200),
        ("voice.example.org", "https://voice.example.org", 200),
        ("localhost:8501", "https://voice.example.org", 200),
        ("localhost:8501", "https://example.org", 403),
        ("localhost:8501", "null", 403),
        ("localhost:8501", "http://[", 403),
        ("example.org:8501", "http://example.org:8501", 403),
        ("127.0.0.1.example.org:8501", "http://127.0.0.1.example.org:8501", 403),
        ("localhost@example.org", "http://example.org", 403),
        ("[", "http://localhost", 403),
        ("", "http://localhost", 403),
    ]:
        with subtests.test(host=host, origin=origin, expected=expected):
            assert status(LOCALHOST_NAMES, "voice.example.org", Host=host, Origin=origin) == expected


def test_a_network_server_accepts_any_host_but_only_its_own_pages():
    assert status((), "localhost", Host="10.0.0.5:8501") == 200
    assert status((), "localhost", Host="10.0.0.5:8501", Origin="http://10.0.0.5:8501") == 200
    assert status((), "localhost", Host="10.0.0.5:8501", Origin="http://example.org") == 403
