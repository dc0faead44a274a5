"""Fixtures that several files share: a small model, its checkpoint, a small corpus, and speech."""

import json
import shutil
import sys
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from streamlit.components.v2 import manifest_scanner

from ser_core import paths
from ser_core.audio.io import load_audio
from ser_core.data import downloads as fetching
from ser_core.models.base import SERModel
from ser_core.models.checkpoint import Calibration, save_model
from ser_core.models.names import METRICS_FILE
from ser_core.models.registry import build_model
from ser_core.models.zoo.resonet import ResoNet, ResoNetConfig
from tests.conftest import ROOT
from tests.make_corpus import decoded, write_crema_d
from tests.make_server import Server

MAIN = sys.modules["__main__"]


@pytest.fixture(autouse=True)
def own_main():
    """A page that was tested stays behind as the main module; processes that are started then would run it again."""
    yield
    sys.modules["__main__"] = MAIN


@pytest.fixture(scope="session", autouse=True)
def installed_components():
    """AppTest reads the metadata of all installed packages before each run of a page, for the components in them."""
    once = lru_cache(manifest_scanner.scan_component_manifests)
    with patch.object(manifest_scanner, "scan_component_manifests", once):
        yield


@contextmanager
def awake_attention():
    """Attention that adds nothing, as before the first step of training, would hide what a test looks for."""
    zeros = torch.nn.init.zeros_
    with patch("torch.nn.init.zeros_", lambda weight: weight if weight.ndim > 1 else zeros(weight)):
        yield


@pytest.fixture(scope="session")
def new_model():
    """A function that makes a small ResoNet in eval mode; the same seed gives the same weights."""

    def make(seed: int = 0, **config) -> SERModel:
        with torch.random.fork_rng(), awake_attention():
            torch.manual_seed(seed)
            sizes = {"channels": (4, 4, 8, 8), "n_heads": 2, "embedding_dim": 8}
            model = build_model("resonet", ResoNetConfig(**sizes | config)).eval()
        model.name, model.calibration = "small", Calibration()
        return model

    return make


@pytest.fixture(scope="session")
def enrolling_model(new_model) -> SERModel:
    """A model in eval mode that takes reference clips; read-only."""
    model = new_model()
    model.name, model.version = "enrolling", "01234567"
    return model


@pytest.fixture
def no_references(monkeypatch) -> None:
    """The small models take no reference clips, like other families."""
    monkeypatch.setattr(ResoNet, "takes_reference", False)


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory, new_model) -> Path:
    """A checkpoints folder with `small` and `other`; read-only."""
    folder = tmp_path_factory.mktemp("models") / "checkpoints"
    training = {"protocol": "speaker-independent", "fold": "0"}
    save_model(new_model(seed=0), folder / "small", "resonet", Calibration(1.5, 0.1), training)
    save_model(new_model(seed=1), folder / "other", "resonet", Calibration(), training)
    return folder


@pytest.fixture
def checkpoints(tmp_path, monkeypatch, saved_models) -> Path:
    """The checkpoints folder of the program for one test: it holds `small` and `other`."""
    folder = tmp_path / "checkpoints"
    shutil.copytree(saved_models, folder)
    monkeypatch.setattr(paths, "CHECKPOINTS", folder)
    return folder


@pytest.fixture(scope="session")
def crema_d(tmp_path_factory) -> Path:
    """A corpora folder: three training speakers and one development speaker, six emotions, two sentences."""
    return write_crema_d(tmp_path_factory.mktemp("corpora"))


@pytest.fixture(scope="session")
def cache(crema_d, tmp_path_factory) -> Path:
    """The cache folder with `crema_d` decoded."""
    folder = tmp_path_factory.mktemp("cache")
    decoded(crema_d, folder)
    return folder


@pytest.fixture
def workplace(tmp_path, monkeypatch, crema_d, cache) -> Path:
    """A working folder with decoded recordings, where runs/ is written."""
    monkeypatch.setenv("SER_CORPORA", str(crema_d))
    monkeypatch.setenv("SER_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def atlas_folder(tmp_path, monkeypatch, cache, checkpoints) -> Path:
    """Folder of the atlases of one test; the cache holds clips of training and development speakers of `small`."""
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    for file in cache.iterdir():
        (tmp_path / "cache" / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(paths, "EMBEDDINGS", tmp_path / "embeddings")
    monkeypatch.setattr("ser_core.interpret.atlas_export.CHUNK_CLIPS", 10)
    (checkpoints / "small" / METRICS_FILE).write_text(json.dumps({"protocol": "speaker-independent", "fold": "0"}))
    return tmp_path / "embeddings"


@pytest.fixture(scope="session")
def speech() -> np.ndarray:
    """Five seconds of a synthetic voice with silence at both ends, read-only, shape = (n_samples,)."""
    waveform = load_audio(ROOT / "assets" / "samples" / "low_slow.ogg")
    waveform.setflags(write=False)
    return waveform


@pytest.fixture
def server(monkeypatch):
    """A local web server; what is asked of it again is asked without a pause."""
    monkeypatch.setattr(fetching, "INITIAL_BACKOFF_S", 0.0)
    server = Server()
    yield server
    server.stop()
