"""Origin and Host check, and the headers of every response."""

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ser_core.serving.middleware import LOCALHOST_NAMES, OriginCheck
from ser_core.serving.protection.headers import SECURITY_HEADERS, SecurityHeaders


async def answer(request) -> PlainTextResponse:
    return PlainTextResponse("an answer")


def status(names, public_name: str, is_local: bool = True, **headers: str) -> int:
    app = OriginCheck(Starlette(routes=[Route("/", answer)]), names, public_name, is_local)
    return TestClient(app).get("/", headers={name.replace("_", "-"): v for name, v in headers.items()}).status_code


def test_a_local_server_requires_its_own_host_names(subtests):
    for host, origin, expected in [
        ("localhost:8501", "http://localhost:8501", 200),
        ("127.0.0.1:8501", "http://127.0.0.1:8501", 200),
        ("[::1]:8501", "http://[::1]:8501", 200),
        ("LocalHost:8501", "http://localhost:8501", 200),
        ("localhost", "http://localhost:80", 200),
        ("voice.example.org", "https://voice.example.org", 200),
        ("localhost:8501", "https://voice.example.org", 200),
        ("localhost:8501", "http://localhost:3000", 403),
        ("localhost:8501", "http://localhost", 403),
        ("localhost:8501", "https://voice.example.org:3000", 403),
        ("localhost:8501", "https://example.org", 403),
        ("localhost:8501", "null", 403),
        ("localhost:8501", "http://[", 403),
        ("localhost:99999", "http://localhost:99999", 403),
        ("10.0.0.5:8501", "http://10.0.0.5:8501", 403),
        ("example.org:8501", "http://example.org:8501", 403),
        ("127.0.0.1.example.org:8501", "http://127.0.0.1.example.org:8501", 403),
        ("localhost@example.org", "http://example.org", 403),
        ("[", "http://localhost", 403),
        ("", "http://localhost", 403),
    ]:
        with subtests.test(host=host, origin=origin, expected=expected):
            assert status(LOCALHOST_NAMES, "voice.example.org", Host=host, Origin=origin) == expected


def test_a_network_server_requires_its_names_or_an_address(subtests):
    for host, origin, expected in [
        ("10.0.0.5:8501", "http://10.0.0.5:8501", 200),
        ("[2001:db8::1]:8501", "http://[2001:db8::1]:8501", 200),
        ("localhost:8501", "http://localhost:8501", 200),
        ("voice.example.org", "https://voice.example.org", 200),
        ("10.0.0.5:8501", "http://localhost:8501", 403),
        ("10.0.0.5:8501", "http://example.org", 403),
        ("evil.example.org:8501", "http://evil.example.org:8501", 403),
    ]:
        with subtests.test(host=host, origin=origin, expected=expected):
            assert status(LOCALHOST_NAMES, "voice.example.org", False, Host=host, Origin=origin) == expected
    assert status(LOCALHOST_NAMES, "localhost", False, Host="evil.example.org:8501") == 403


def test_pages_of_other_sites_may_link_but_not_load_or_frame(subtests):
    for site, destination, expected in [
        ("same-origin", "iframe", 200),
        ("none", "document", 200),
        ("cross-site", "document", 200),
        ("cross-site", "iframe", 403),
        ("cross-site", "image", 403),
        ("same-site", "empty", 403),
    ]:
        with subtests.test(site=site, destination=destination):
            headers = {"Sec_Fetch_Site": site, "Sec_Fetch_Dest": destination}
            assert status(LOCALHOST_NAMES, "", Host="localhost:8501", **headers) == expected


def test_a_refusal_has_an_id_that_the_log_repeats_and_names_the_cure(caplog):
    client = TestClient(OriginCheck(Starlette(routes=[Route("/", answer)]), ["testserver"]))
    with caplog.at_level("INFO", "ser_core.serving.middleware"):
        found = client.get("/", headers={"Origin": "http://localhost:3000", "X-Request-ID": "from-a-page"})
    assert found.status_code == 403 and "without the header Origin" in found.json()["error"]
    assert found.headers["X-Request-ID"] == "from-a-page"
    assert "request_id=from-a-page status=403" in caplog.text
    assert client.get("/", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200  # passed on by that server


def test_every_response_has_the_security_headers():
    app = SecurityHeaders(OriginCheck(Starlette(routes=[Route("/", answer)]), LOCALHOST_NAMES))
    for path, host in (("/", "localhost"), ("/none", "localhost"), ("/", "example.org")):
        headers = TestClient(app).get(path, headers={"Host": host}).headers
        assert {name: headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
