"""Making of an atlas: interruptions, the cache, maps."""

import json
from pathlib import Path

import numpy as np
import pytest

from ser_core.data.audio_store.reading import AudioStore
from ser_core.data.protocols.files import ProtocolError
from ser_core.inference.forward import clip_windows
from ser_core.interpret import atlas_export
from ser_core.interpret.atlas import training_distances
from ser_core.interpret.atlas_export import add_maps, export_atlas
from ser_core.interpret.projection import ProjectionConfig

PCA, PCA_3D = ProjectionConfig("pca"), ProjectionConfig("pca", 3)


@pytest.mark.parametrize("training", [None, {"recipe": {}}])
def test_a_checkpoint_without_a_record_of_its_training_has_no_atlas(atlas_folder, checkpoints, training):
    (checkpoints / "small" / "metrics.json").unlink()
    config = checkpoints / "small" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"training": training}))
    with pytest.raises(ProtocolError, match="not evaluated"):
        export_atlas("small", AudioStore())


def kept_outputs(atlas_folder, atlas) -> Path:
    """The file of the cache with the outputs of the windows."""
    (path,) = (atlas_folder.parent / "cache").glob(f"windows-small-{atlas.version}-*.npz")
    return path


def test_outputs_of_another_calibration_are_not_taken(atlas_folder, checkpoints):
    before = export_atlas("small", AudioStore())
    config = checkpoints / "small" / "config.json"
    values = json.loads(config.read_text())
    config.write_text(json.dumps(values | {"calibration": {"temperature": 4.0, "min_confidence": 0.0}}))
    assert (export_atlas("small", AudioStore()).confidence < before.confidence).all()


def test_distances_are_from_the_training_clips(atlas_folder):
    found = export_atlas("small", AudioStore())
    training = found.embeddings[found.column("part") == "training"]
    expected = training_distances(training, found.embeddings, np.ones(len(found.ids), int))  # a window each
    assert 0 < len(training) < len(found.ids)
    np.testing.assert_allclose(found.distances, expected, rtol=0.1)  # in half precision


def test_an_interrupted_export_goes_on(atlas_folder, monkeypatch):
    whole = export_atlas("small", AudioStore())
    kept_outputs(atlas_folder, whole).unlink()
    calls = []

    def interrupted(model, clip):
        calls.append(len(clip))
        if len(calls) == 25:
            raise KeyboardInterrupt
        return clip_windows(model, clip)

    monkeypatch.setattr(atlas_export, "clip_windows", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_atlas("small", AudioStore())
    reports = []
    again = export_atlas("small", AudioStore(), lambda n_done, n_clips: reports.append((n_done, n_clips)))
    assert reports[0] == (20, len(whole.ids)) and reports[-1] == (len(whole.ids),) * 2
    assert len(calls[25:]) == len(whole.ids) - 20
    np.testing.assert_array_equal(again.embeddings, whole.embeddings)


def test_an_interruption_while_it_writes_loses_one_part(atlas_folder, monkeypatch):
    savez, calls = np.savez, []

    def interrupted(file, **arrays):
        calls.append(file)
        if len(calls) == 2:
            file.write(b"half a file")
            raise KeyboardInterrupt
        savez(file, **arrays)

    monkeypatch.setattr(atlas_export.np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_atlas("small", AudioStore())
    assert len(export_atlas("small", AudioStore()).ids) > 20 and len(calls) == 2 + 4  # the first of five parts was kept


def test_maps_are_added_one_by_one(atlas_folder):
    atlas, reports = export_atlas("raw-features", AudioStore()), []
    found = add_maps(atlas, (PCA, PCA_3D), lambda config, share: reports.append((config, share)))
    assert list(found.maps) == [PCA, PCA_3D] and not atlas.maps and reports == [(PCA, 1.0), (PCA_3D, 1.0)]
    assert [coordinates.shape for coordinates in found.maps.values()] == [(len(atlas.ids), 2), (len(atlas.ids), 3)]


def test_what_the_cache_holds_of_other_clips_is_not_taken(atlas_folder):
    whole = export_atlas("small", AudioStore())
    path = kept_outputs(atlas_folder, whole)
    with np.load(path) as file:
        kept = dict(file)
    np.savez(path, **kept | {"ids": kept["ids"][::-1], "windows": kept["windows"] + 1})
    np.testing.assert_array_equal(export_atlas("small", AudioStore()).embeddings, whole.embeddings)
