"""Fixtures of the tests of pages."""

import pytest
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

from pages.ui import results


@pytest.fixture
def no_corpora(monkeypatch):
    """No recordings of the corpora, whatever was found before; a test may set some afterwards."""
    monkeypatch.delenv("SER_CORPORA", raising=False)
    results.utterances.clear()
    yield
    results.utterances.clear()


@pytest.fixture
def erased(monkeypatch) -> list[str]:
    """Ids of the uploads that were erased on the server."""
    found: list[str] = []
    monkeypatch.setattr(MemoryUploadedFileManager, "remove_file", lambda self, session, file: found.append(file))
    return found
