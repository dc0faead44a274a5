"""The page "Embedding map" without a browser, and its figures: filters, the person's clip, what is missing."""

import csv
import gzip
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet
import pytest
import streamlit as st

from pages.ui.analysis import Settings
from pages.ui.components.player import track
from pages.ui.emotion import coloured
from pages.ui.export import rows_as_csv
from pages.ui.samples import voices
from pages.workspace.map import figure as map_figure, in_row, neighbours, own_clips, panel, state, takes
from pages.workspace.map.export import as_parquet, map_rows
from pages.workspace.map.selection import chosen_rows
from pages.workspace.sound import SoundState
from ser_core import paths
from ser_core.audio import load_audio
from ser_core.data.file_names import parse_filename
from ser_core.data.protocols.splits import protocol_split
from ser_core.inference.enrolment import speaker_reference
from ser_core.inference.model_cache import shared_model, unload_models
from ser_core.inference.prediction.predict import predict
from ser_core.interpret import projection as projections
from ser_core.interpret.atlas import Atlas, load_atlas
from ser_core.interpret.embeddings import RAW_FEATURES
from ser_core.interpret.projection import Projection, ProjectionConfig
from ser_core.models.adapter import MIN_ADAPTATION_CLIPS, fit_adapter
from ser_core.models.checkpoint import load_model
from ser_core.models.ood import UNUSUAL, NoveltyDetector
from ser_core.plots.maps import scatter as map_figures
from ser_core.plots.maps.on_top import UserClip, add_density_contours, add_user_clips
from ser_core.plots.maps.scatter import (
    embedding_scatter,
    embedding_scatter_by_value,
    points_in_polygon,
    subsample_points,
)
from tests.make_page import open_view, session_of, texts, upload, wav

SPEECH = Path("assets/samples/low_slow.ogg").read_bytes()
PARTS = protocol_split("speaker-independent", "0")
IDS = sorted([*PARTS.train[::100], *PARTS.test[::60]])
RNG = np.random.default_rng(0)
MAPS = (ProjectionConfig("umap"), ProjectionConfig("tsne"), ProjectionConfig("pca"), ProjectionConfig("umap", 3))


def made_up(model: str, version: str, dim: int) -> Atlas:
    """An atlas of real names and made-up embeddings, with a map of each kind that is the default."""
    n = len(IDS)
    embeddings = RNG.normal(size=(n, dim)).astype(np.float32)
    predicted = np.full(n, -1) if model == RAW_FEATURES else RNG.integers(0, 8, n)
    part = np.array([0 if i in set(PARTS.train) else 2 for i in IDS])
    confidence = np.full(n, np.nan if model == RAW_FEATURES else 0.5, np.float32)
    distances = np.full(n, np.nan) if model == RAW_FEATURES else RNG.normal(1, 0.1, n)
    found = Atlas(model, version, np.array(IDS), embeddings, predicted, confidence, part, distances)
    for config in MAPS:
        found = found.with_map(config, RNG.normal(size=(n, config.n_dims)))
    return found


@pytest.fixture
def folder(checkpoints, tmp_path, monkeypatch):
    """Embeddings of `small` and of the raw features."""
    monkeypatch.delenv("SER_CORPORA", raising=False)
    monkeypatch.setattr(paths, "EMBEDDINGS", tmp_path / "embeddings")
    unload_models()
    state._read.clear()
    state._projection.clear()
    state.quality.clear()
    map_figure._figure.clear()
    made_up("small", load_model("small").version, 8).save(tmp_path / "embeddings" / "small.npz")
    made_up(RAW_FEATURES, "", 128).save(tmp_path / "embeddings" / f"{RAW_FEATURES}.npz")
    return tmp_path / "embeddings"


@pytest.fixture
def page(folder):
    page = open_view("map").run()
    assert not page.exception and not page.error
    return page


def points(page, chart: int = 0) -> int:
    """How many clips a chart shows in colour."""
    spec = json.loads(page.get("plotly_chart")[chart].proto.spec)
    return sum(len(trace["customdata"]) for trace in spec["data"] if trace.get("marker", {}).get("opacity") == 0.7)


def names_of_own(page) -> list[str]:
    """The person's clips in the legend of the first map."""
    spec = json.loads(page.get("plotly_chart")[0].proto.spec)
    stars = [trace for trace in spec["data"] if trace.get("marker", {}).get("symbol") == "star" and trace.get("name")]
    return [trace["name"] for trace in stars if trace["marker"]["size"] > 9 and "x" in trace and trace["x"] != [None]]


def test_every_clip_is_a_point(page):
    assert points(page) == len(IDS)
    assert [metric.label for metric in page.metric][:2] == ["Trustworthiness", "Continuity"]
    assert page.selectbox(key="space").options == ["small", RAW_FEATURES]


def test_each_colour_can_be_chosen(page, subtests):
    for colour in ("predicted", "right", "confidence", "corpus", "part", "sex", "intensity", "speaker"):
        with subtests.test(colour=colour):
            page.selectbox(key="colour").set_value(colour).run()
            assert not page.exception and not page.error and points(page) == len(IDS)


def test_what_does_not_fit_turns_grey(page):
    page.multiselect(key="map-emotions").set_value(["sad"]).run()
    found = load_atlas("small")
    assert points(page) == (found.column("emotion") == "sad").sum()
    page.multiselect(key="map-corpora").set_value(["crema_d"]).run()
    both = (found.column("emotion") == "sad") & (found.column("corpus") == "crema_d")
    assert points(page) == both.sum()
    page.text_input(key="map-find").set_value(found.ids[both][0].split("/")[1]).run()
    assert points(page) == 1 and not page.exception


def test_what_the_filter_leaves_is_a_table_where_nothing_can_be_clicked(page):
    assert not page.dataframe
    page.toggle(key="map-3d").set_value(True).run()
    page.multiselect(key="map-emotions").set_value(["sad"]).run()
    found = load_atlas("small")
    sad = found.column("emotion") == "sad"
    assert page.dataframe[0].value["clip"].tolist() == found.ids[sad].tolist()
    assert page.dataframe[0].value["sex"].tolist() == found.column("sex")[sad].tolist()
    assert page.dataframe[0].value["intensity"].tolist() == found.column("intensity")[sad].tolist()


def test_each_example_of_a_name_finds_clips(page):
    names = [f"{i} {parse_filename(Path(i)).speaker}".lower() for i in (*PARTS.train, *PARTS.dev, *PARTS.test)]
    examples = page.text_input(key="map-find").placeholder.removesuffix(" ...").split(", ")
    assert all(any(example.lower() in name for name in names) for example in examples)


def test_raw_features_have_no_answers_to_colour(page):
    page.selectbox(key="space").set_value(RAW_FEATURES).run()
    assert not page.exception and points(page) == len(IDS)
    assert page.selectbox(key="colour").options == ["label", "corpus", "sex", "intensity", "speaker"]


def test_two_spaces_side_by_side(page):
    page.selectbox(key="second-space").set_value(RAW_FEATURES).run()
    assert not page.exception and points(page, 0) == points(page, 1) == len(IDS)
    assert "**small**" in texts(page) and "raw" in texts(page)


def test_what_was_chosen_in_one_of_two_maps_stands_out_in_both(page):
    page.selectbox(key="second-space").set_value(RAW_FEATURES).run()
    session_of(page).page(state.MapState).linked = IDS[3:8]  # a lasso cannot be drawn without a browser
    page.run()
    assert not page.exception and points(page, 0) == points(page, 1) == 5
    (table,) = [frame.value for frame in page.dataframe if "label" in frame.value]
    assert table["clip"].tolist() == IDS[3:8]
    found = load_atlas("small")
    n_right = (found.column("right")[3:8] == "right").sum()
    assert n_right < 5 and f"{n_right} of 5 are classified correctly by small" in texts(page)
    page.button(key="unlink").click().run()
    assert points(page, 0) == points(page, 1) == len(IDS)


def test_a_lasso_in_one_of_two_maps_is_of_all_that_the_filters_leave(folder, monkeypatch):
    found, shown = load_atlas("small"), np.arange(len(IDS)) % 2 == 0
    places = found.maps[ProjectionConfig("pca")].astype(float)
    box = {"x": [0, 9], "y": [-9, 9]}
    monkeypatch.setattr(st, "session_state", {"key": {"selection": {"lasso": [], "box": [box], "points": []}}})
    map_figure._choose("key", found, places, shown, True)
    assert st.session_state["session"].page(state.MapState).linked == found.ids[(places[:, 0] > 0) & shown].tolist()


def test_in_three_dimensions(page):
    page.toggle(key="map-3d").set_value(True).run()
    assert not page.exception and points(page) == len(IDS)


def answer_in_words(prediction) -> str:
    return f"{coloured(prediction.emotion)} {prediction.confidence:.0%}"


def test_the_persons_clip_lies_on_the_map_with_its_true_neighbours(page):
    page.segmented_control(key="map").set_value("pca").run()
    model = shared_model(page.selectbox(key="space").value)
    width, thresholds = model.config.embedding_dim, np.array([0, 100])
    model.novelty = NoveltyDetector(np.zeros(width), np.eye(width), np.array([0, 1e9]), None, thresholds)
    upload(page, "mine.ogg", SPEECH)
    assert "your clip" in texts(page) and UNUSUAL in texts(page)
    assert "own-neighbours" not in [button.key for button in page.button]  # it is among them
    assert answer_in_words(predict(model, load_audio(io.BytesIO(SPEECH)))) in texts(page)
    session_of(page).voice_clips = {"mine": load_audio(io.BytesIO(SPEECH))}
    page.run().toggle(key="use-voice").set_value(True).run()
    reference = speaker_reference(model, list(session_of(page).voice_clips.values()))
    assert answer_in_words(predict(model, load_audio(io.BytesIO(SPEECH)), reference=reference)) in texts(page)
    (table,) = [frame.value for frame in page.dataframe if "distance" in frame.value]
    assert len(table) == own_clips.N_NEIGHBOURS and table["distance"].is_monotonic_increasing
    page.button(key="keep-take").click().run()
    assert not page.exception and page.button(key="drop-takes")
    assert "clips on the map: 1" in page.button(key="delete").help  # it deletes them too
    assert names_of_own(page) == ["your clip 1"]  # not twice
    page.selectbox(key="space").set_value(RAW_FEATURES).run()
    assert not page.exception and names_of_own(page) == ["your clip 1"]  # a take stays when the space changes
    page.button(key="drop-takes").click().run()
    assert not page.exception and "drop-takes" not in [button.key for button in page.button]


def test_the_clip_lies_where_its_noise_reduced_sound_lies(page, speech, monkeypatch):
    monkeypatch.setattr("pages.ui.analysis.reduce_noise", lambda *_: speech[:30_000])
    page.segmented_control(key="map").set_value("pca").run()
    upload(page, "mine.wav", wav(speech))
    page.button(key="keep-take").click().run()
    before = distances(page)
    next(toggle for toggle in page.toggle if "noise" in toggle.label).set_value(True).run()
    assert not page.exception and distances(page) != before
    assert names_of_own(page) == ["your clip 1", "your clip"]  # as it was kept, and as it is now


def distances(page) -> list[float]:
    """Of the neighbours in the panel."""
    (table,) = [frame.value for frame in page.dataframe if "distance" in frame.value]
    return table["distance"].tolist()


def test_a_walk_among_neighbours_by_key_and_around_another_clip(page):
    page.segmented_control(key="map").set_value("pca").run()
    upload(page, "mine.ogg", SPEECH)
    assert page.button(key="previous-neighbour").disabled and "SER_CORPORA" in texts(page)
    page.button(key="next-neighbour").click().run()
    walk = session_of(page).page(neighbours.WalkState)
    assert not page.exception and (walk.anchor, walk.place) == ("", 1)
    walk.anchor, walk.place = IDS[3], neighbours.ANCHOR  # a click
    page.run()
    assert f"`{IDS[3]}`" in texts(page) and min(distances(page)) > 0  # no neighbour of itself
    page.button(key="own-neighbours").click().run()
    assert not page.exception and "your clip" in texts(page)
    walk.anchor = IDS[3]
    upload(page, "other.wav", wav(RNG.normal(0, 0.1, 16_000)))
    assert walk.anchor == ""  # another clip, another walk


def test_clips_of_the_program_are_played_without_corpora(folder):
    voice = voices()[0].utterance
    small = load_atlas("small")
    small = replace(small, ids=np.array([voice.id, *small.ids[1:]]))
    small.save(folder / "small.npz")
    assert neighbours.picture(small, 0).startswith(b"\x89PNG") and neighbours.picture(small, len(IDS)) is None
    first = json.loads(gzip.decompress(map_figure._packed_texts("small", "", 0, small)))[0]
    assert re.fullmatch(rf"{voice.id}\nlabel {voice.emotion}, predicted \w+ 50%", first)
    page = open_view("map").run()
    page.selectbox(key="shipped-small").set_value(voice.id).run()
    request = session_of(page).page(SoundState).request
    assert not page.exception and request["name"] == voice.id and page.button(key="play-neighbour")
    page.button(key="next-neighbour").click().run()
    assert session_of(page).page(SoundState).request == request  # its recording is not here


def test_neighbours_are_played_in_a_row(page, monkeypatch):
    def mount(key, data, on_next_change, on_stop_change):
        shown.update(data)
        if key in st.session_state:  # what the browser has sent
            on_next_change()

    shown = {}
    monkeypatch.setattr(in_row, "_mount", mount)
    monkeypatch.setattr(neighbours, "recording", lambda clip: track(clip, np.zeros(1600, np.float32), clip))
    upload(page, "mine.ogg", SPEECH)
    page.button(key="play-row").click().run()
    walk = session_of(page).page(neighbours.WalkState)
    assert not page.exception and (walk.in_row, walk.place) == (True, 0) and shown["name"] in IDS
    assert session_of(page).page(SoundState).request["name"] == shown["name"]
    page.session_state[in_row.KEY] = {"next": shown["name"]}
    page.run().run()  # what comes twice counts once
    assert not page.exception and (walk.in_row, walk.place) == (True, 1)
    walk.place = own_clips.N_NEIGHBOURS - 1
    page.run()
    page.session_state[in_row.KEY] = {"next": shown["name"]}
    page.run()
    assert not walk.in_row and walk.place == own_clips.N_NEIGHBOURS - 1
    page.run()
    assert not shown["name"] and page.button(key="play-row")


def test_the_very_recording_of_a_clip_is_none_of_its_neighbours(page):
    page.segmented_control(key="map").set_value("pca").run()
    upload(page, f"{Path(IDS[5]).name}.ogg", SPEECH)
    assert not page.exception and "very recording" in texts(page)
    found = load_atlas("small")
    recorded = found.embeddings[7] + 1e-4
    own = own_clips.EmbeddedClip("mine.wav", recorded, found.embeddings[7:8], np.zeros(1), 1.0, recorded)
    reduced = replace(own, embedding=recorded + 1)
    assert own_clips.itself(found, reduced) == 7 and 7 not in own_clips.nearest(found, reduced)[0]
    assert own_clips.itself(found, own) == 7 and 7 not in own_clips.nearest(found, own)[0]


def test_two_takes_of_one_name_lie_where_each_belongs(page, speech):
    page.segmented_control(key="map").set_value("pca").run()
    upload(page, "take.wav", wav(speech[:50_000]))
    page.button(key="keep-take").click().run()
    upload(page, "take.wav", wav(speech[60_000:]))
    spec = json.loads(page.get("plotly_chart")[0].proto.spec)
    stars = [(trace["x"], trace["y"]) for trace in spec["data"] if trace.get("text") in ("1: take.wav", "take.wav")]
    assert not page.exception and len(stars) == 2 and stars[0] != stars[1]


def test_a_voice_is_learned_used_and_forgotten(page, speech):
    page.segmented_control(key="map").set_value("pca").run()
    for i, emotion in enumerate(("sad", "angry", "angry")):
        upload(page, f"take{i}.wav", wav(speech[20_000 + 9000 * i :][:30_000]))
        (meant,) = [group for group in page.get("button_group") if str(group.key).startswith("meant-")]
        meant.set_value(emotion).run()
        page.button(key="add-voice").click().run()
    assert not page.exception and "label" in page.dataframe[-1].value
    page.button(key="learn-voice").click().run()
    assert not page.exception and "3 clips" in page.success[0].value
    assert page.get("download_button")[0].proto.label == "Download the adapter"
    adapter = session_of(page).adapters["small"]
    assert (adapter.model, adapter.n_clips) == ("small", 3)
    clips = session_of(page).page(takes.TakesState).labelled["small"].values()
    embeddings = np.stack([clip.embedding for clip in clips])
    expected = fit_adapter(shared_model("small"), embeddings, ["sad", "angry", "angry"])
    np.testing.assert_allclose(adapter.weight, expected.weight, atol=1e-5)
    page.button(key="forget-voice").click().run()
    assert not page.exception and not page.success and "small" not in session_of(page).adapters


def test_one_emotion_teaches_nothing(page, speech):
    page.segmented_control(key="map").set_value("pca").run()
    upload(page, "take.wav", wav(speech))
    (meant,) = [group for group in page.get("button_group") if str(group.key).startswith("meant-")]
    meant.set_value("sad").run()
    page.button(key="add-voice").click().run()
    page.button(key="learn-voice").click().run()
    assert not page.exception and f"{MIN_ADAPTATION_CLIPS}" in page.error[0].value and not session_of(page).adapters


def test_a_bad_file_is_a_sentence_and_the_map_stays(page):
    upload(page, "bad.wav", b"no sound")
    assert page.error and points(page) == len(IDS)


def test_too_large_a_perplexity_is_a_sentence(page):
    page.segmented_control(key="map").set_value("tsne").run()
    page.slider(key="perplexity").set_value(100).run()
    assert not page.exception and "100" in page.error[0].value


def test_without_umap_learn_stored_maps_stay_and_the_package_is_named(page, monkeypatch):
    monkeypatch.setattr(projections, "find_spec", lambda name: None)
    page.run()
    assert not page.exception and points(page) == len(IDS)
    assert any("requirements-maps.txt" in caption.value for caption in page.caption)
    page.toggle(key="map-3d").set_value(True).run()
    assert not page.exception and not page.error


def test_without_embeddings_the_page_names_the_command(folder):
    for path in folder.iterdir():
        path.unlink()
    page = open_view("map").run()
    assert not page.exception and "scripts.export_embeddings" in page.info[0].value


def test_embeddings_of_another_version_are_refused(folder):
    made_up("small", "old", 8).save(folder / "small.npz")
    page = open_view("map").run()
    assert not page.exception and "version old" in page.error[0].value


def test_embeddings_without_their_model_can_be_looked_at(folder, checkpoints):
    (checkpoints / "small" / "config.json").unlink()
    page = open_view("map").run()
    assert not page.exception and not page.error and points(page) == len(IDS)

    upload(page, "mine.ogg", SPEECH)
    assert not page.error and points(page) == len(IDS) and not names_of_own(page)
    assert any("small" in caption.value for caption in page.caption)


@pytest.mark.parametrize("content", [wav(np.zeros(16_000)), wav(RNG.normal(0, 0.1, 40))])
def test_silence_and_a_click_are_told_not_to_be_speech(page, content):
    page.segmented_control(key="map").set_value("pca").run()
    upload(page, "nothing.wav", content)
    said = [element.value for element in (*page.warning, *page.error)]
    assert len(said) == 1 and points(page) == len(IDS) and "nearest to your clip" not in texts(page)


@pytest.mark.parametrize("n", [1, 2, 12])
def test_a_few_points_are_a_sentence_or_a_map_without_measures(folder, n):
    small = load_atlas("small")
    rows = slice(0, n)
    few = Atlas(
        *("small", small.version, small.ids[rows], small.embeddings[rows], small.predicted[rows]),
        small.confidence[rows],
        small.part[rows],
        small.distances[rows],
    )
    few.save(folder / "small.npz")
    page = open_view("map")
    page.session_state["map"] = "pca"
    page.run()
    assert not page.exception
    if n < 5:
        assert page.error[0].value.startswith(f"{n} points")
    else:
        assert not page.error and points(page) == n and f"{n} points" in texts(page)
        upload(page, "mine.ogg", SPEECH)
        assert not page.exception and "your clip" in texts(page)


def test_the_files_hold_what_is_on_the_map(folder):
    found = load_atlas("small")
    made = found.projection(ProjectionConfig("umap"))
    chosen = np.flatnonzero(found.column("emotion") == "sad")
    read = list(csv.DictReader(io.StringIO(rows_as_csv(map_rows(found, made, chosen)))))
    assert [row["clip"] for row in read] == found.ids[chosen].tolist()
    np.testing.assert_allclose([[float(row[k]) for k in "xy"] for row in read], made.coordinates[chosen], atol=1e-4)
    table = pyarrow.parquet.read_table(io.BytesIO(as_parquet(found, made, chosen)))
    assert {"x", "y", "text", "label", "neighbors"} <= set(table.column_names)
    assert table["text"].to_pylist() == found.ids[chosen].tolist() and set(table["label"].to_pylist()) == {"sad"}
    np.testing.assert_allclose(np.transpose([table["x"], table["y"]]), made.coordinates[chosen], atol=1e-4)
    beside = table["neighbors"].to_pylist()[0]
    gaps = np.linalg.norm(found.embeddings[chosen] - found.embeddings[chosen[0]], axis=1)
    assert beside["ids"] == np.argsort(gaps)[: len(beside["ids"])].tolist()
    np.testing.assert_allclose(beside["distances"], np.sort(gaps)[: len(beside["ids"])], atol=1e-3)
    np.testing.assert_array_equal(table["vector"].to_pylist(), found.embeddings[chosen])


def test_of_a_long_recording_each_window_is_placed_at_its_time(monkeypatch):
    n = 2 * own_clips.MOST_WINDOWS
    windows, start_s = np.arange(n, dtype=float)[:, None], np.arange(n) / 2
    monkeypatch.setattr(own_clips, "_embed", lambda *_: (windows, start_s))
    prepared = SimpleNamespace(id="x", speech=((0.0, 3.0),))
    monkeypatch.setattr(own_clips, "prepare_clip", lambda *_: prepared)
    own = own_clips.embed_clip(SimpleNamespace(name="long.wav"), prepared, "small")
    assert len(own.windows) == own_clips.MOST_WINDOWS and own.start_s[-1] == start_s[-1]
    np.testing.assert_array_equal(own.windows[:, 0] / 2, own.start_s)


def test_a_clip_has_a_place_on_each_map():
    found = made_up("small", "v", 4)
    embedding = found.embeddings[0] + 1
    own = own_clips.EmbeddedClip("a.wav", embedding, embedding[None], np.zeros(1), 1.0, embedding)
    maps = [Projection.fit(ProjectionConfig("pca", n_dims), found.embeddings) for n_dims in (2, 3)]
    assert [len(own_clips.place(made, found, own, "small v").coordinates) for made in maps] == [2, 3]


def test_neighbours_are_counted_by_emotion_and_by_corpus(monkeypatch):
    found, written = made_up("small", "v", 4), []
    monkeypatch.setattr(st, "markdown", written.append)
    emotion, corpus = found.column("emotion"), found.column("corpus")
    sad = [np.flatnonzero((emotion == "sad") & (corpus == name))[:n] for name, n in (("crema_d", 2), ("ravdess", 1))]
    fear = np.flatnonzero((emotion == "fear") & (corpus == "crema_d"))[:2]
    rows = np.concatenate([*sad, fear])
    panel._show_heading(found, neighbours.Neighbourhood("", rows, np.zeros(5)), has_own=True)
    words = f"Of the 5 clips nearest to your clip, 3 are labelled {coloured('sad')} and 4 are from CREMA-D."
    assert len(rows) == 5 and written == [words]
    rows = np.concatenate([sad[0], fear])
    panel._show_heading(found, neighbours.Neighbourhood("", rows, np.zeros(4)), has_own=True)
    both = f"2 each are labelled {coloured('sad')}, {coloured('fear')} and 4 are from CREMA-D."
    assert written[1].endswith(f"Of the 4 clips nearest to your clip, {both}")


def test_a_row_of_the_neighbours_leads_to_that_neighbour(monkeypatch):
    gone = []
    monkeypatch.setattr(neighbours, "go_to", lambda found, around, place: gone.append(place))
    monkeypatch.setattr(st, "session_state", {"table": {"selection": {"rows": [2]}}})
    panel._go_to_row(None, None, "table")
    assert gone == [2]


def test_the_clip_is_answered_with_its_adapter_in_the_space_of_its_model_alone(monkeypatch):
    used = []
    monkeypatch.setattr(state, "available_models", lambda: ("small", "other"))
    monkeypatch.setattr(state.clip_bar, "settings", lambda: Settings("small", my_voice=True))
    monkeypatch.setattr(state, "prepare_clip", lambda *_: None)
    monkeypatch.setattr(state, "personal_model", lambda name, adapted, clip: used.append((name, adapted)))
    monkeypatch.setattr(state, "model_result", lambda *_: None)
    for name in ("small", "other", RAW_FEATURES):
        state.answer(None, name)
    assert used == [("small", True), ("other", False)]


def test_lasso_and_box_hold_what_is_not_grey_and_a_click_holds_any():
    places = np.array([[0, 0], [1, 1], [2, 2], [3, 3]], float)
    shown = np.array([True, False, True, True])
    lasso = {"x": [-1, 2.5, 2.5, -1], "y": [-1, -1, 2.5, 2.5]}
    box = {"x": [2.9, 3.1], "y": [3.1, 2.9]}
    click = {"customdata": [1]}
    assert chosen_rows({"lasso": [lasso], "box": [box], "points": [click]}, places, shown).tolist() == [0, 2, 3]
    assert chosen_rows({"lasso": [], "box": [], "points": [click, {"x": 1}]}, places, shown).tolist() == [1]


# --- figures ---------------------------------------------------------------------------------------------------------


def test_a_polygon_holds_what_winds_around_each_point():
    polygon, points = RNG.normal(size=(9, 2)), RNG.normal(size=(400, 2))
    to = polygon[None] - points[:, None]  # from each point to each corner
    angle = np.arctan2(to[..., 1], to[..., 0])
    turns = (np.diff(angle, axis=1, append=angle[:, :1]) + np.pi) % (2 * np.pi) - np.pi
    odd = np.round(turns.sum(1) / (2 * np.pi)).astype(int) % 2 == 1
    np.testing.assert_array_equal(points_in_polygon(points, polygon), odd)
    assert 20 < odd.sum() < 380


def test_a_large_map_is_thinned_out_the_grey_points_first(monkeypatch):
    monkeypatch.setattr(map_figures, "MAX_DRAWN_POINTS", 10)
    shown = np.arange(40) < 8
    assert subsample_points(shown)[:8].all() and subsample_points(shown).sum() == 10
    assert subsample_points(np.ones(40, bool)).sum() == 10 and subsample_points(shown[:9]).all()
    coordinates = RNG.normal(size=(40, 2))
    for figure in (
        embedding_scatter(coordinates, ["sad"] * 40, shown),
        embedding_scatter_by_value(coordinates, np.linspace(0, 1, 40), shown),
    ):
        grey, *points = (trace for trace in figure.data if trace.customdata is not None)
        assert sorted(row for trace in points for row in trace.customdata) == list(range(8))
        assert len(grey.customdata) == 2


def test_groups_keep_their_look_and_the_rest_is_grey():
    coordinates, shown = RNG.normal(size=(6, 2)), np.array([True] * 4 + [False] * 2)
    figure = embedding_scatter(coordinates, ["sad", "happy"] * 3, shown, [f"t{i}" for i in range(6)])
    grey, *points = (trace for trace in figure.data if trace.customdata is not None)
    assert grey.customdata.tolist() == [4, 5]
    looks = {int(row): (trace.marker.symbol, trace.text[0]) for trace in points for row in trace.customdata[:1]}
    looks |= {int(row): (trace.marker.symbol, trace.text[-1]) for trace in points for row in trace.customdata[-1:]}
    assert looks == {i: (("triangle-down", "triangle-up")[i % 2], f"t{i}") for i in range(4)}
    assert [trace.name for trace in figure.data if trace.showlegend] == ["happy", "sad"]


def test_where_groups_mix_none_lies_on_top_of_the_others():
    figure = embedding_scatter(RNG.normal(size=(300, 2)), ["sad", "happy"] * 150, np.ones(300, bool))
    drawn = [(trace.marker.symbol, len(trace.x)) for trace in figure.data]
    assert drawn == [(f"triangle-{way}", 75) for way in ("up", "down", "down", "up")]


@pytest.mark.parametrize("n_dims", [2, 3])
def test_the_own_clip_has_lines_to_its_neighbours_and_a_trail(n_dims):
    coordinates = RNG.normal(size=(6, n_dims))
    own = UserClip("mine", coordinates[0] + 1, coordinates[:3], np.array([0, 1.25, 2.5]), coordinates[3:])
    for figure in (
        embedding_scatter(coordinates, ["sad"] * 6, np.ones(6, bool), ["t"] * 6),
        embedding_scatter_by_value(coordinates, np.linspace(0, 1, 6), np.ones(6, bool)),
    ):
        n_before, drawn = len(figure.data), add_user_clips(figure, [own])
        assert len(figure.data) == n_before and not figure.layout.shapes  # it is everybody's
        *lines, trail, star = drawn.data[n_before:]
        in_shapes = [shape.path.count(",") for shape in drawn.layout.shapes]
        assert ([len(line.x) for line in lines], in_shapes) == (([9, 4], []) if n_dims == 3 else ([], [6, 3]))
        assert len(trail.x) == 3 and trail.text[1] == "mine, from 1.2 s"
        assert (star.name, star.text) == ("your clip", "mine") and len(star.x) == 1 and star.customdata is None


def test_a_contour_holds_the_core_of_an_emotion():
    coordinates = np.concatenate([RNG.normal(0, 1, (300, 2)), RNG.normal(12, 1, (300, 2))])
    emotions = np.repeat(["sad", "angry"], 300)
    figure = add_density_contours(
        embedding_scatter(coordinates, emotions, np.ones(600, bool), ["t"] * 600),
        coordinates,
        emotions,
        np.ones(600, bool),
    )
    middles = {a.text: (a.x, a.y) for a in figure.layout.annotations}
    assert set(middles) == {"<b>▼ sad</b>", "<b>✚ angry</b>"}
    np.testing.assert_allclose(middles["<b>✚ angry</b>"], (12, 12), atol=0.3)
    sad = next(trace for trace in figure.data if trace.type == "contour" and trace.line.width)
    z = np.array(sad.z) >= sad.contours.start
    share = np.array(sad.z)[z].sum() / np.array(sad.z).sum()
    assert share == pytest.approx(0.5, abs=0.1)
