"""Lazily built application: only its own requests wait for it."""

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ser_core.serving import lazy_app as later
from ser_core.serving.lazy_app import LazyApp

NEVER_S = 1e6


class Part:
    """Lazily built application that records its events."""

    def __init__(self, fails: str = ""):
        self.happened, self.may_be_built, self._fails = [], threading.Event(), fails

    def build(self) -> Starlette:
        assert self.may_be_built.wait(30) and threading.current_thread() is not threading.main_thread()
        self.happened.append("built")
        if self._fails == "built":
            raise RuntimeError("no gradio")
        return Starlette(routes=[Route("/", lambda request: PlainTextResponse("here"))], lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette):
        self.happened.append("begun")
        if self._fails == "begun":
            raise RuntimeError("no gradio")
        yield
        self.happened.append("ended")


def served(part: Part, after_s: float = NEVER_S) -> TestClient:
    """Server with this application only."""
    face = LazyApp(part.build)
    app = Starlette(lifespan=lambda app: face.lifespan(after_s))
    app.mount("/", face)
    return TestClient(app, raise_server_exceptions=False)


def test_requests_wait_for_it_and_it_is_built_once():
    part = Part()
    answers = []
    with served(part) as client:
        asking = [threading.Thread(target=lambda: answers.append(client.get("/").text)) for _ in range(3)]
        for thread in asking:
            thread.start()
        assert not part.happened and not answers
        part.may_be_built.set()
        for thread in asking:
            thread.join(30)
        assert answers == ["here"] * 3 and part.happened == ["built", "begun"]
    assert part.happened == ["built", "begun", "ended"]


def test_nothing_is_built_without_a_request():
    part = Part()
    part.may_be_built.set()
    with served(part):
        pass
    assert not part.happened


def test_it_is_built_without_a_request_when_idle(monkeypatch):
    monkeypatch.setattr(later, "IDLE_WINDOW_S", 0.01)
    spent_s = iter([0.0, 1.0, 1.0, 2.0, 2.0, 2.0])  # busy, busy, idle
    monkeypatch.setattr(later.time, "process_time", lambda: next(spent_s))
    part = Part()
    part.may_be_built.set()
    with served(part, after_s=0.01) as client:
        while "begun" not in part.happened:
            client.portal.call(asyncio.sleep, 0.01)
    assert next(spent_s, None) is None


@pytest.mark.parametrize("fails", ["built", "begun"])
def test_a_failed_build_is_logged_and_affects_only_itself(caplog, fails):
    part = Part(fails)
    part.may_be_built.set()
    with served(part) as client:
        assert [client.get("/").status_code for _ in range(2)] == [500, 500]
    assert part.happened[-1] == fails and "no gradio" in caplog.text


@pytest.mark.parametrize("n_parts", [3])
def test_one_is_built_at_a_time(n_parts):
    at_work, most = [], []

    def build() -> Starlette:
        at_work.append(1)
        most.append(len(at_work))
        threading.Event().wait(0.02)
        at_work.pop()
        return Starlette()

    async def all_at_once() -> None:
        faces = [LazyApp(build) for _ in range(n_parts)]
        await asyncio.gather(*(asyncio.to_thread(face._build_locked) for face in faces))

    asyncio.run(all_at_once())
    assert most == [1] * n_parts
