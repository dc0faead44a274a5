"""Store of decoded recordings: stored samples, interruptions, truncated files, unreadable recordings."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from ser_core.audio.io import load_audio
from ser_core.audio.windows import trim_silence
from ser_core.data.audio_store import writing
from ser_core.data.audio_store.index import audio_cache_folder
from ser_core.data.audio_store.reading import AudioStore, StoreError, TrimmedClips
from ser_core.data.audio_store.writing import decode_recordings
from ser_core.data.corpora import read_corpora
from tests.conftest import ROOT
from tests.make_corpus import voice, write_crema_d, write_wav
from tests.processes import children_of, eventually, has_ended

INDEX, SAMPLES = "index.csv", "audio.i16"


@pytest.fixture(scope="module")
def utterances(tmp_path_factory):
    folder = write_crema_d(tmp_path_factory.mktemp("corpora"), speakers=("1001",), sentences=("DFA",))
    return read_corpora(folder).utterances


@pytest.fixture(scope="module")
def whole(utterances, tmp_path_factory) -> Path:
    """The cache folder of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    assert decode(utterances, folder) == [""] * 6
    return folder


@pytest.fixture
def damaged(whole, tmp_path) -> Path:
    """A copy of the whole cache to break."""
    for name in (INDEX, SAMPLES):
        (tmp_path / name).write_bytes((whole / name).read_bytes())
    return tmp_path


def decode(utterances, folder: Path) -> list[str]:
    """Reasons of the files that could not be read, "" for the others."""
    return [reason for _, reason in decode_recordings(utterances, folder, n_workers=1)]


def same(one: Path, other: Path) -> bool:
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in (INDEX, SAMPLES))


def test_stored_samples_equal_load_audio(utterances, whole):
    kept = AudioStore(whole)
    assert len(kept) == len(utterances) == 6
    for utterance in utterances:
        waveform = load_audio(utterance.path)
        np.testing.assert_allclose(kept.waveform(utterance.id), waveform, atol=0.5 / 32768)
        start, end = trim_silence(kept.waveform(utterance.id))
        np.testing.assert_array_equal(kept.trimmed(utterance.id), kept.waveform(utterance.id)[start:end])
        assert kept.duration_s(utterance.id) == pytest.approx(len(waveform) / 16_000)
        assert kept.waveform(utterance.id).dtype == np.float32
    assert utterances[0].id in kept and "crema_d/1002_DFA_ANG_XX" not in kept


def test_trimmed_excludes_leading_and_trailing_silence(tmp_path):
    silence = np.zeros(8000, np.float32)
    write_wav(tmp_path / "1001_DFA_ANG_XX.wav", np.concatenate([silence, voice(150, 0), silence]))
    (utterance,) = read_corpora(tmp_path).utterances
    decode([utterance], tmp_path / "cache")
    kept = AudioStore(tmp_path / "cache")
    assert kept.duration_s(utterance.id) == pytest.approx(1.6)
    assert len(kept.trimmed(utterance.id)) == pytest.approx(0.8 * 16_000, rel=0.05)


def test_crops_of_trimmed_clips(utterances, whole):
    kept = AudioStore(whole)
    ids = [utterance.id for utterance in utterances]
    clips = TrimmedClips(kept, ids, torch.device("cpu"))
    chosen = np.array([3, 0, 5])
    waveform, n_samples = clips.cut(chosen, 10**6, np.random.default_rng(0))
    assert waveform.dtype == torch.float32 and waveform.shape == (3, n_samples.max())
    for row, n, i in zip(waveform.numpy(), n_samples.tolist(), chosen, strict=True):
        np.testing.assert_array_equal(row[:n], kept.trimmed(ids[i]))
        assert not row[n:].any()


def test_crops_cover_clips_from_start_to_end(utterances, whole):
    clips = TrimmedClips(AudioStore(whole), [utterances[0].id], torch.device("cpu"))
    everything = AudioStore(whole).trimmed(utterances[0].id)
    longest = len(everything) - 20
    rng, starts = np.random.default_rng(0), set()
    for _ in range(300):
        (stretch,), n_samples = clips.cut(np.array([0]), longest, rng)
        assert n_samples.tolist() == [longest]
        starts.add(next(i for i in range(21) if np.array_equal(stretch, everything[i : i + longest])))
    assert starts == set(range(21))


def test_a_second_run_decodes_nothing(utterances, damaged, whole):
    assert decode(utterances, damaged) == []
    assert same(damaged, whole)


# --- interruptions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_done", [1, 3, 5])
def test_an_interrupted_run_continues_to_the_same_bytes(utterances, whole, tmp_path, n_done):
    running = decode_recordings(utterances, tmp_path, n_workers=1)
    for _ in range(n_done):
        next(running)
    running.close()
    assert not same(tmp_path, whole)
    assert len(decode(utterances, tmp_path)) == 6 - n_done
    assert same(tmp_path, whole)


def test_an_interrupted_run_does_not_decode_the_rest_first(utterances, tmp_path, monkeypatch):
    def slow(path):
        with (tmp_path / "log").open("a") as log:
            log.write("x")
        time.sleep(0.003)
        return load_audio(path)

    monkeypatch.setattr(writing, "load_audio", slow)
    running = decode_recordings(utterances * 30, tmp_path, n_workers=1)
    next(running)
    running.close()
    assert len((tmp_path / "log").read_text()) < 90


@pytest.mark.parametrize("n_bytes", [1, 2, 9, 30])
def test_a_truncated_last_row_is_decoded_again(utterances, whole, damaged, n_bytes):
    lines = (damaged / INDEX).read_bytes()
    (damaged / INDEX).write_bytes(lines[:-n_bytes])
    assert len(AudioStore(damaged)) == 5
    assert decode(utterances, damaged) == [""]
    assert same(damaged, whole)


def test_a_truncated_header_restarts_the_store(utterances, whole, damaged):
    (damaged / INDEX).write_bytes(b"utterance,sta")
    assert decode(utterances, damaged) == [""] * 6
    assert same(damaged, whole)


def test_samples_without_a_row_are_dropped(utterances, whole, damaged):
    (damaged / SAMPLES).open("ab").write(b"\1\2\3" * 1000)
    assert decode(utterances, damaged) == []
    assert same(damaged, whole)


def test_rows_without_samples_never_become_silence(utterances, whole, damaged):
    content = (damaged / SAMPLES).read_bytes()
    (damaged / SAMPLES).write_bytes(content[:-1001])
    assert len(AudioStore(damaged)) == 5
    assert decode(utterances, damaged) == [""]
    assert same(damaged, whole)


def test_lost_samples_are_decoded_again(utterances, whole, damaged):
    (damaged / SAMPLES).unlink()
    assert decode(utterances, damaged) == [""] * 6
    assert same(damaged, whole)


# --- two writers, and samples that changed ---------------------------------------------------------------------------


def test_a_second_writer_is_refused(utterances, whole, tmp_path):
    first = decode_recordings(utterances, tmp_path, n_workers=1)
    next(first)
    with pytest.raises(StoreError, match="SER_CACHE"):
        next(decode_recordings(utterances, tmp_path, n_workers=1))
    assert len(list(first)) == 5
    assert same(tmp_path, whole)


@pytest.mark.slow
def test_a_writer_that_was_killed_leaves_no_lock_and_no_process(utterances, whole, tmp_path, monkeypatch):
    code = (
        "import sys, time; from pathlib import Path; from ser_core.data import decode_recordings, read_corpora\n"
        "running = decode_recordings(read_corpora(Path(sys.argv[1])).utterances, Path(sys.argv[2]), 2)\n"
        "next(running); print(flush=True); time.sleep(600)"
    )
    corpus = utterances[0].path.parents[1]
    writer = subprocess.Popen([sys.executable, "-c", code, corpus, tmp_path], cwd=ROOT, stdout=subprocess.PIPE)
    writer.stdout.readline()
    children = children_of(writer.pid)
    assert children
    writer.kill()
    writer.wait()
    assert eventually(lambda: all(has_ended(child) for child in children))
    assert decode(utterances, tmp_path) == [""] * 5
    assert same(tmp_path, whole)


def test_changed_samples_are_never_used_and_are_decoded_again(utterances, whole, damaged):
    content = bytearray((damaged / SAMPLES).read_bytes())
    content[1000] ^= 1
    (damaged / SAMPLES).write_bytes(content)
    kept, name = AudioStore(damaged), utterances[0].id
    assert kept.damaged() == {name}
    for read in (kept.waveform, kept.trimmed, lambda name: TrimmedClips(kept, [name], torch.device("cpu"))):
        with pytest.raises(StoreError, match="prepare_corpora"):
            read(name)
    assert len(kept.waveform(utterances[1].id))
    assert decode(utterances, damaged) == [""]
    assert not AudioStore(damaged).damaged()
    np.testing.assert_array_equal(AudioStore(damaged).waveform(name), AudioStore(whole).waveform(name))


def test_a_store_without_checksums_is_read_and_stays_as_it_is(utterances, whole, damaged):
    lines = [line.rpartition(",")[0] for line in (damaged / INDEX).read_text().splitlines()]
    (damaged / INDEX).write_text("\n".join([*lines, ""]))
    np.testing.assert_array_equal(
        AudioStore(damaged).waveform(utterances[3].id), AudioStore(whole).waveform(utterances[3].id)
    )
    assert decode(utterances, damaged) == []
    assert (damaged / INDEX).read_text().splitlines()[1:] == lines[1:]


def test_clips_that_share_samples_are_decoded_again(utterances, whole, damaged):
    """As left behind by two writers at once, each of which counted from its own start."""
    lines = (damaged / INDEX).read_text().splitlines()
    name, start, *rest = lines[3].split(",")
    lines[3] = ",".join([name, str(int(start) - 100), *rest[:-1]])
    (damaged / INDEX).write_text("\n".join([*lines, ""]))
    assert len(AudioStore(damaged)) == 4
    assert decode(utterances, damaged) == ["", ""]
    for utterance in utterances:
        np.testing.assert_array_equal(
            AudioStore(damaged).waveform(utterance.id), AudioStore(whole).waveform(utterance.id)
        )


# --- what cannot be read ---------------------------------------------------------------------------------------------


def test_an_unreadable_file_is_reported_and_not_kept(utterances, tmp_path):
    write_wav(tmp_path / "a" / "1001_DFA_ANG_XX.wav", voice(150, 0))
    (tmp_path / "a" / "1001_DFA_DIS_XX.wav").write_text("this is no sound")
    write_wav(tmp_path / "a" / "1001_DFA_FEA_XX.wav", voice(150, 1))
    answers = list(decode_recordings(read_corpora(tmp_path).utterances, tmp_path / "cache", n_workers=1))
    assert [(u.emotion, bool(reason)) for u, reason in answers] == [
        ("angry", False),
        ("disgust", True),
        ("fear", False),
    ]
    kept = AudioStore(tmp_path / "cache")
    assert len(kept) == 2 and "crema_d/1001_DFA_DIS_XX" not in kept
    np.testing.assert_allclose(kept.waveform("crema_d/1001_DFA_FEA_XX"), voice(150, 1), atol=1e-3)


def test_a_file_that_became_readable_is_added(tmp_path):
    path = tmp_path / "1001_DFA_ANG_XX.wav"
    path.write_text("")
    (utterance,) = read_corpora(tmp_path).utterances
    assert decode([utterance], tmp_path / "cache") != [""]
    write_wav(path, voice(150, 0))
    assert decode([utterance], tmp_path / "cache") == [""]
    assert utterance.id in AudioStore(tmp_path / "cache")


def test_an_empty_cache_names_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"scripts\.prepare_corpora"):
        AudioStore(tmp_path)


def test_an_unknown_recording_is_an_error_not_silence(whole):
    with pytest.raises(KeyError):
        AudioStore(whole).waveform("crema_d/1091_DFA_ANG_XX")


def test_the_cache_folder_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("SER_CACHE", "/somewhere")
    assert audio_cache_folder() == Path("/somewhere")
    monkeypatch.delenv("SER_CACHE")
    assert audio_cache_folder() == Path("cache")
