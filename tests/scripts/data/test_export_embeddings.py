"""scripts.export_embeddings."""

import errno

import numpy as np
import pytest

from scripts import export_embeddings as script, prepare_corpora
from ser_core.data.audio_store.reading import AudioStore
from ser_core.data.protocols.files import read_protocol
from ser_core.inference.forward import run_clips
from ser_core.interpret import atlas_export
from ser_core.interpret.atlas import ATLAS_PARTS, available_atlases, load_atlas
from ser_core.interpret.projection import ProjectionConfig
from ser_core.models.checkpoint import Calibration, load_model, save_model
from tests.make_corpus import voice, write_wav

PCA = ProjectionConfig("pca")


@pytest.fixture
def ready(atlas_folder, monkeypatch):
    """atlas_folder, with one map for each atlas."""
    monkeypatch.setattr(script, "MAPS", (PCA,))
    return atlas_folder


def test_the_export_holds_every_clip_with_its_answer_and_part(ready, capsys):
    assert script.main(["small", "raw-features"]) == 0
    assert "s per 1,000 clips" in capsys.readouterr().out
    model, store = load_model("small"), AudioStore()
    found = load_atlas("small", model.version)
    known = {row["utterance"] for row in read_protocol("speaker-independent")}
    assert found.ids.tolist() == sorted(i for i in known if i in store) and list(found.maps) == [PCA]
    assert set(found.column("part")) == {"training", "development"}
    expected = run_clips(model, [store.trimmed(i) for i in found.ids])
    np.testing.assert_allclose(found.embeddings, expected.embeddings, atol=2e-3)
    assert found.predicted.tolist() == expected.logits.argmax(1).tolist()
    raw = load_atlas("raw-features", "")
    assert raw.embeddings.shape == (len(found.ids), 128) and set(raw.column("part")) == {ATLAS_PARTS[2]}
    assert np.isnan(raw.confidence).all()


def test_epochs_of_a_run_are_spaces_of_their_own(ready, tmp_path, new_model):
    training = {"protocol": "speaker-independent", "fold": "0"}
    folders = [tmp_path / "runs" / "warm" / "epochs" / epoch for epoch in ("1", "8")]
    for seed, folder in enumerate(folders):
        save_model(new_model(seed=seed), folder, "resonet", Calibration(), training)
    assert script.main([str(folder) for folder in folders]) == 0
    assert available_atlases() == ("warm-epoch-1", "warm-epoch-8")
    first, last = (load_atlas(name) for name in available_atlases())
    assert first.ids.tolist() == last.ids.tolist() and set(first.column("part")) == {"training", "development"}
    assert np.abs(first.embeddings - last.embeddings).max() > 0.01
    assert atlas_export.atlas_name("runs/warm/checkpoint") == "warm" and atlas_export.atlas_name("resonet") == "resonet"


def test_a_full_disk_is_said_and_leaves_the_old_file(ready, capsys, monkeypatch):
    def full(file, **arrays):
        file.write(b"half a file")
        raise OSError(errno.ENOSPC, "No space left on device")

    assert script.main(["raw-features", "--no-maps"]) == 0
    before = (ready / "raw-features.npz").read_bytes()
    monkeypatch.setattr("ser_core.interpret.atlas.np.savez_compressed", full)
    assert script.main(["raw-features", "--no-maps"]) == 2 and "No space left" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in ready.iterdir()} == {"raw-features.npz": before}


def test_what_cannot_be_exported_is_said(ready, capsys, monkeypatch, tmp_path):
    assert script.main(["nothing"]) == 2 and "'nothing'" in capsys.readouterr().err
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "empty"))
    assert script.main(["small"]) == 2 and "scripts.prepare_corpora" in capsys.readouterr().err


def test_too_few_clips_for_the_maps_name_the_cure(ready, capsys, monkeypatch):
    monkeypatch.setattr(script, "MAPS", (PCA, ProjectionConfig(), ProjectionConfig("tsne", perplexity=1000)))
    assert script.main(["raw-features"]) == 2
    err = capsys.readouterr().err
    assert "at least 3001" in err and "--no-maps" in err
    assert script.main(["raw-features", "--no-maps"]) == 0


def own_only(folder, monkeypatch, tmp_path) -> None:
    """A cache with one recording of one's own, and none of the corpora."""
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "own-cache"))
    monkeypatch.setenv("SER_CORPORA", str(tmp_path / "nothing"))
    write_wav(folder / "Eva" / "sad" / "a.wav", voice(150, 0))
    assert prepare_corpora.main(["--folder", str(folder)]) == 0


def test_recordings_of_the_corpora_are_not_lost_by_an_export_without_them(ready, tmp_path, monkeypatch, capsys):
    assert script.main(["raw-features", "--no-maps"]) == 0
    before = (ready / "raw-features.npz").read_bytes()
    own_only(tmp_path / "mine", monkeypatch, tmp_path)
    mine = ["raw-features", "--no-maps", "--folder", str(tmp_path / "mine")]
    assert script.main(mine) == 2
    assert "recordings of the corpora that are not decoded here" in capsys.readouterr().err
    assert (ready / "raw-features.npz").read_bytes() == before
    (ready / "raw-features.npz").unlink()
    assert script.main(mine) == 0 and len(load_atlas("raw-features", "").ids) == 1
    assert script.main(mine) == 0  # again: nothing of the corpora in it


def test_an_export_of_nothing_names_the_command(ready, tmp_path, monkeypatch, capsys):
    own_only(tmp_path / "mine", monkeypatch, tmp_path)
    assert script.main(["raw-features", "--no-maps"]) == 2
    assert "prepare_corpora" in capsys.readouterr().err
