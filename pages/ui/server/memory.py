"""What Streamlit's server keeps of people: in memory only, bounded, for a stated time, under an address of its own.

Streamlit writes uploads to a temporary file while they come in, stores any number of them, keeps the files of a closed
page until another visitor comes, and hashes only three pieces of a large file for its address.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncGenerator

import streamlit as st
from starlette import requests
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from streamlit.runtime import get_instance, memory_media_file_storage
from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.session_manager import SessionInfo
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

MAX_INCOMING_BYTES = 250_000_000  # of all uploads that come in
MAX_UPLOADED_BYTES, MAX_SESSION_BYTES = 400_000_000, 250_000_000  # of all stored uploads; of those of one session
CLOSE_BEFORE_S = 5.0  # the storage forgets an expired session without closing it
CLEAN_UP_S = 1.0  # between two passes: files for download survive the first
FULL = "The server holds too many uploads at the moment. Try again in a few minutes."

_address_key = secrets.token_bytes(32)


def keep_in_memory_only() -> None:
    """Changes the server of this process, before it starts; a second call changes nothing more."""
    requests.MultiPartParser = InMemoryParser  # type: ignore[misc]
    memory_media_file_storage._calculate_file_id = file_address
    if MemorySessionStorage.save is not save_and_close_later:
        MemorySessionStorage.save = save_and_close_later  # type: ignore[method-assign]
        MemoryUploadedFileManager.add_file = add_file_within_limits  # type: ignore[method-assign]


class InMemoryParser(MultiPartParser):
    """Parser of forms that writes nothing to disk and bounds what comes in at once."""

    spool_max_size = 0  # never to disk
    n_incoming_bytes = 0  # of all parsers

    async def parse(self) -> FormData:
        n_bytes, stream = 0, self.stream

        async def counted() -> AsyncGenerator[bytes, None]:
            nonlocal n_bytes
            async for chunk in stream:
                n_bytes += len(chunk)
                InMemoryParser.n_incoming_bytes += len(chunk)
                if InMemoryParser.n_incoming_bytes > MAX_INCOMING_BYTES:
                    raise HTTPException(503, FULL)
                yield chunk

        self.stream = counted()
        try:
            return await super().parse()
        finally:
            InMemoryParser.n_incoming_bytes -= n_bytes


_add_file = MemoryUploadedFileManager.add_file


def add_file_within_limits(self: MemoryUploadedFileManager, session_id: str, file: UploadedFileRec) -> None:
    """Stores an upload.

    Raises:
        HTTPException: this session, or all together, have reached the limit.
    """
    own = sum(len(stored.data) for stored in self.file_storage.get(session_id, {}).values())
    if own + len(file.data) > MAX_SESSION_BYTES or self._total_bytes + len(file.data) > MAX_UPLOADED_BYTES:
        raise HTTPException(503, FULL)
    _add_file(self, session_id, file)


def file_address(data: bytes, mimetype: str, filename: str | None = None) -> str:
    """Id of a file in its address: a hash of all its content that only this process can compute."""
    digest = hashlib.blake2b(key=_address_key, digest_size=28)
    for part in (data, mimetype.encode(), (filename or "").encode()):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


_save = MemorySessionStorage.save


def save_and_close_later(self: MemorySessionStorage, session_info: SessionInfo) -> None:
    """Stores the session of a closed page, and closes it when it has not come back within its lifetime."""
    _save(self, session_info)
    lifetime_s = max(0.0, st.get_option("server.disconnectedSessionTTL") - CLOSE_BEFORE_S)
    asyncio.get_running_loop().call_later(lifetime_s, _close, self, session_info)


def _close(storage: MemorySessionStorage, session_info: SessionInfo) -> None:
    """Deletes a session with its files; another entry means that it came back in between."""
    if storage.get(session_info.session.id) is not session_info:
        return
    storage.delete(session_info.session.id)
    session_info.session.shutdown()
    asyncio.get_running_loop().call_later(CLEAN_UP_S, get_instance().media_file_mgr.remove_orphaned_files)
