"""Files of embeddings: written, read, refused."""

import io
import re
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from scripts.bench.map import synthetic
from ser_core import paths
from ser_core.audio.vad import speech_segments
from ser_core.audio.windows import analysed_bounds
from ser_core.data.protocols.splits import protocol_split
from ser_core.inference.forward import clip_windows, embed, run_clips, run_windows
from ser_core.interpret.atlas import NO_PREDICTION, Atlas, AtlasError, available_atlases, load_atlas, training_distances
from ser_core.interpret.embeddings import RAW_FEATURES, embed_windows
from ser_core.interpret.projection import Projection, ProjectionConfig
from ser_core.labels import EMOTIONS
from ser_core.models.checkpoint import load_model
from ser_core.models.ood import fit_distance_reference

IDS = [*protocol_split("speaker-independent", "0").train[:30], *protocol_split("speaker-independent", "0").test[:30]]
PCA = ProjectionConfig("pca")


@pytest.fixture
def small() -> Atlas:
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(60, 8)).astype(np.float16).astype(np.float32)
    predicted, part = rng.integers(0, 8, 60), np.repeat([0, 2], 30)
    confidence, distances = np.full(60, 0.5, np.float32), rng.normal(1, 0.1, 60).astype(np.float32)
    return Atlas("m", "abc", np.array(IDS), embeddings, predicted, confidence, part, distances)


def test_what_is_read_is_what_was_written(tmp_path, small, monkeypatch):
    made = small.with_map(PCA, Projection.fit(PCA, small.embeddings).coordinates)
    made.save(tmp_path / "m.npz")
    found = load_atlas("m", "abc", tmp_path)
    for name in ("ids", "embeddings", "predicted", "confidence", "part", "distances"):
        np.testing.assert_array_equal(getattr(found, name), getattr(small, name))
    assert (found.model, found.version, list(found.maps)) == ("m", "abc", [PCA])
    np.testing.assert_allclose(found.maps[PCA], made.maps[PCA], rtol=1e-5)
    np.testing.assert_allclose(found.projection(PCA).place(small.embeddings[:3]), made.maps[PCA][:3], atol=1e-5)
    monkeypatch.setattr(paths, "EMBEDDINGS", tmp_path)
    assert available_atlases() == ("m",)


def test_columns_say_what_the_names_say(small):
    assert small.column("emotion").tolist() == [u.emotion for u in small.utterances]
    right = small.column("right") == "right"
    assert right.tolist() == [EMOTIONS[k] == u.emotion for k, u in zip(small.predicted, small.utterances, strict=True)]
    assert small.column("part").tolist() == ["training"] * 30 + ["unseen"] * 30
    assert set(small.column("intensity")) <= {"low", "medium", "high", "normal", "unknown"}
    raw = replace(small, predicted=np.full(60, NO_PREDICTION))
    assert set(raw.column("predicted")) == set(raw.column("right")) == {""}


def test_the_distance_of_a_clip_is_the_mean_over_its_windows(small):
    learned_from = small.embeddings[:30]
    windows, n_windows = small.embeddings[30:], np.array([1, 20, 9])
    far = fit_distance_reference(learned_from).distance(windows)
    expected = [far[0], far[1:21].mean(), far[21:].mean()]
    np.testing.assert_allclose(training_distances(learned_from, windows, n_windows), expected, rtol=1e-5)
    assert np.isnan(training_distances(learned_from[:0], windows, n_windows)).all()


DAMAGES = {
    "rows": {"part": np.zeros(5, int)},
    "names": {"ids": np.array(["nobody"] * 60)},
    "no such emotion": {"predicted": np.full(60, len(EMOTIONS))},
    "no such part": {"part": np.full(60, -1)},
    "no number": {"embeddings": np.full((60, 8), np.nan)},
    "flat": {"embeddings": np.zeros(60)},
    "a map of another size": {"maps": {PCA: np.zeros((60, 3))}},
    "another model": {"model": "other"},
}


@pytest.mark.parametrize("damage", ["missing", "torn", "text", "another version", *DAMAGES])
def test_a_file_that_cannot_be_used_names_the_command(tmp_path, small, damage):
    path = tmp_path / "m.npz"
    replace(small, **DAMAGES.get(damage, {})).save(path)
    if damage == "missing":
        path.unlink()
    elif damage == "torn":
        path.write_bytes(path.read_bytes()[:500])
    elif damage == "text":
        path.write_text("no archive")
    with pytest.raises(AtlasError, match=re.escape("python -m scripts.export_embeddings m")):
        load_atlas("m", "other" if damage == "another version" else "abc", tmp_path)


@pytest.mark.slow
def test_a_bit_that_fell_over_is_damage_and_nothing_else(tmp_path, small):
    path = tmp_path / "m.npz"
    small.save(path)
    content, refused = path.read_bytes(), 0
    for at in range(0, len(content), 5):
        path.write_bytes(content[:at] + bytes([content[at] ^ 2]) + content[at + 1 :])
        try:
            load_atlas("m", "abc", tmp_path)
        except AtlasError:
            refused += 1
    assert refused > len(content) / 5 / 2  # the others fell in what nobody reads


def test_a_file_that_claims_more_than_there_is_is_refused(tmp_path, small):
    small.save(tmp_path / "m.npz")
    with zipfile.ZipFile(tmp_path / "m.npz") as file:
        members = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as file, io.BytesIO() as claim:
        header = {"descr": "<f2", "fortran_order": False, "shape": (10**12, 300)}
        np.lib.format.write_array_header_1_0(claim, header)
        for name, content in (members | {"embeddings.npy": claim.getvalue() + bytes(100)}).items():
            file.writestr(name, content)
    with pytest.raises(AtlasError, match=r"scripts\.export_embeddings m"):
        load_atlas("m", "abc", tmp_path)


@pytest.mark.slow
def test_a_small_file_that_would_fill_the_memory_is_refused_before_it_is_unpacked(tmp_path, small, monkeypatch):
    small.save(tmp_path / "small.npz")
    with np.load(tmp_path / "small.npz") as file:
        content = dict(file)
    content["embeddings"] = np.zeros((len(small.ids), 3_000_000), np.float16)
    np.savez_compressed(tmp_path / "small.npz", **content)
    monkeypatch.setattr("ser_core.interpret.atlas.np.load", lambda path: pytest.fail("unpacked"))
    with pytest.raises(AtlasError, match=r"small\.npz .*MB.*export_embeddings small"):
        load_atlas("small", folder=tmp_path)


def test_the_map_that_is_measured_in_a_browser_can_be_read(tmp_path):
    synthetic(100).save(tmp_path / "synthetic-100.npz")
    assert len(load_atlas("synthetic-100", folder=tmp_path).ids) == 100


# --- embeddings ------------------------------------------------------------------------------------------------------


def test_a_clip_is_the_mean_of_its_windows(new_model, speech):
    model = new_model()
    clips, windows = run_clips(model, [speech[:5000], speech]), run_windows(model, clip_windows(model, speech))
    np.testing.assert_allclose(clips.embeddings[1], windows.embeddings.mean(0), atol=1e-5)
    np.testing.assert_allclose(clips.logits[1], windows.logits.mean(0), atol=1e-5)


def test_embed_leaves_out_the_silence_at_the_ends(new_model, speech):
    model = new_model()
    silence = np.zeros(16_000, np.float32)
    found = embed(model, [speech, np.concatenate([silence, speech, silence])])
    np.testing.assert_allclose(found[0], found[1], atol=5e-3)  # the frames of the trimming are shifted
    first, last = analysed_bounds(speech, speech_segments(speech))
    np.testing.assert_allclose(found[0], run_clips(model, [speech[first:last]]).embeddings[0], atol=1e-5)


def test_a_recording_is_cut_where_its_windows_begin(new_model, speech):
    model = new_model()
    start_s, embeddings = embed_windows(model, speech)
    assert len(start_s) == len(embeddings) > 2 and start_s[0] > 0  # it begins with silence
    first = speech[round(start_s[1] * 16_000) :][: round(model.config.window_s * 16_000)]
    np.testing.assert_allclose(embeddings[1], run_windows(model, [first]).embeddings[0], atol=1e-4)


def test_windows_of_a_pause_are_left_out(new_model):
    model, sound = new_model(), np.random.default_rng(0).normal(0, 0.1, 20 * 16_000).astype(np.float32)
    speech = [(0.0, 4.0), (14.0, 20.0)]
    start_s, embeddings = embed_windows(model, sound, speech)
    end_s = start_s + model.config.window_s
    assert len(start_s) == len(embeddings) and all((start_s < 4) | (end_s > 14)) and start_s[0] == 0
    assert len(embed_windows(model, sound, [])[0]) > len(start_s)  # no speech at all: every window


# --- how far out, on what ships ------------------------------------------------------------------------------------

SHIPPED = [name for name in available_atlases() if name != RAW_FEATURES]


@pytest.mark.shipped
@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_is_of_the_models_as_they_are(name):
    assert load_atlas(name).version == load_model(name).version
