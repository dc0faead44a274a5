"""Uploads and sessions of Streamlit's server: nothing on disk, bounded, closed in time, an address for each file."""

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st
from starlette import requests
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from streamlit.runtime import memory_media_file_storage
from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.session_manager import SessionInfo
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from pages.ui.server import memory
from ser_core.audio.io import encode_wav

memory.keep_in_memory_only()


async def receive_form(request) -> PlainTextResponse:
    form = await request.form()
    file = form["file"]
    return PlainTextResponse(f"{type(file.file._file).__name__} {len(await file.read())}")


def send(n_bytes: int):
    client = TestClient(Starlette(routes=[Route("/", receive_form, methods=["PUT"])]))
    return client.put("/", files={"file": ("a.wav", bytes(n_bytes))})


def test_an_upload_never_reaches_the_disk():
    assert send(20_000_000).text == "BytesIO 20000000"
    assert requests.MultiPartParser is memory.InMemoryParser


def test_uploads_that_come_in_are_bounded_together(monkeypatch):
    monkeypatch.setattr(memory, "MAX_INCOMING_BYTES", 1_000_000)
    assert send(900_000).status_code == 200
    assert send(1_100_000).status_code == 503
    assert send(900_000).status_code == 200 and memory.InMemoryParser.n_incoming_bytes == 0


def test_stored_uploads_are_bounded(monkeypatch):
    monkeypatch.setattr(memory, "MAX_SESSION_BYTES", 250)
    monkeypatch.setattr(memory, "MAX_UPLOADED_BYTES", 400)
    manager = MemoryUploadedFileManager("/upload")

    def add(session: str, number: int) -> None:
        manager.add_file(session, UploadedFileRec(str(number), "a.wav", "audio/wav", bytes(100)))

    add("a", 1)
    add("a", 2)
    with pytest.raises(HTTPException):
        add("a", 3)
    add("b", 1)
    add("b", 2)
    with pytest.raises(HTTPException):
        add("c", 1)
    manager.remove_session_files("a")
    add("c", 1)


def test_two_recordings_never_share_an_address():
    silent, spoken = np.zeros(60 * 16_000, np.float32), np.zeros(60 * 16_000, np.float32)
    spoken[16_000 * 20 : 16_000 * 21] = 0.5
    addresses = [
        memory_media_file_storage._calculate_file_id(content, kind, name)
        for content in (encode_wav(silent), encode_wav(spoken))
        for kind, name in (("audio/wav", None), ("audio/wav", "a"), ("audio/wava", None))
    ]
    assert len(set(addresses)) == len(addresses)


def closed_sessions(monkeypatch, comes_back: bool) -> list[str]:
    closed, cleaned = [], []
    monkeypatch.setattr(memory, "CLEAN_UP_S", 0.0)
    monkeypatch.setattr(st, "get_option", lambda name: memory.CLOSE_BEFORE_S + 0.05)
    manager = SimpleNamespace(remove_orphaned_files=lambda: cleaned.append(1))
    monkeypatch.setattr(memory, "get_instance", lambda: SimpleNamespace(media_file_mgr=manager))

    async def run() -> None:
        storage = MemorySessionStorage(ttl_seconds=100)
        session = SimpleNamespace(id="a", shutdown=lambda: closed.append("a"))
        storage.save(SessionInfo(client=None, session=session))
        if comes_back:
            storage.delete("a")
        await asyncio.sleep(0.2)
        assert not storage.list()

    asyncio.run(run())
    assert len(cleaned) == len(closed)
    return closed


def test_the_session_of_a_closed_page_ends_without_another_visitor(monkeypatch):
    assert closed_sessions(monkeypatch, comes_back=False) == ["a"]


def test_a_session_that_comes_back_is_kept(monkeypatch):
    assert closed_sessions(monkeypatch, comes_back=True) == []
