"""The committed splits follow their definition and depend only on names."""

import csv
import random
from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from ser_core import paths
from ser_core.data.corpora import corpora_root, read_corpora
from ser_core.data.file_names import parse_filename
from ser_core.data.protocols.assignment import PROTOCOLS, SPEAKER_OVERLAP
from ser_core.data.protocols.files import (
    ProtocolError,
    protocol_folds,
    protocol_of_split,
    read_protocol,
    split_name,
    write_protocol,
)
from ser_core.data.protocols.folds import speaker_independent_fold
from ser_core.data.protocols.splits import protocol_split, training_speakers
from ser_core.data.utterances import ALL_SPEECH_CORPORA, OTHER_LANGUAGE_CORPORA, SPEECH_CORPORA, Utterance
from ser_core.labels import COMMON_EMOTIONS

protocol_split = cache(protocol_split)  # reading a file of 13,000 rows a hundred times is slow
SPLITS = [(name, fold) for name in PROTOCOLS for fold in protocol_folds(name) or (None,)]
N_USABLE = 13_167


@cache
def rows(name: str) -> dict[str, dict[str, str]]:
    """The rows of a protocol by utterance."""
    return {row["utterance"]: row for row in read_protocol(name)}


ALL = rows("left-out")  # holds every usable utterance
ENGLISH = rows("speaker-independent")


def speakers(ids, corpora=None) -> set[str]:
    return {ALL[i]["speaker"] for i in ids if corpora is None or ALL[i]["corpus"] in corpora}


@cache
def utterances() -> tuple[Utterance, ...]:
    """Utterances parsed from the names in the committed files."""
    return tuple(parse_filename(Path(i)) for i in ALL)


# --- every split -----------------------------------------------------------------------------------------------------


def test_no_utterance_is_in_two_parts_and_none_is_lost(subtests):
    for name, fold in SPLITS:
        with subtests.test(name=name, fold=fold):
            parts = protocol_split(name, fold)
            ids = parts.train + parts.dev + parts.test
            assert len(ids) == len(set(ids))
            own_song = name == "left-out" and fold == "ravdess"  # in no part: it is no speech of an unseen corpus
            listed = (row for row in read_protocol(name) if not (own_song and row["corpus"] == "ravdess_song"))
            assert sorted(ids) == sorted(row["utterance"] for row in listed)
            assert parts.train and parts.test


def test_no_speaker_is_in_two_parts(subtests):
    for name, fold in [case for case in SPLITS if case[0] not in SPEAKER_OVERLAP]:
        with subtests.test(name=name, fold=fold):
            parts = protocol_split(name, fold)
            train, dev, test = speakers(parts.train), speakers(parts.dev), speakers(parts.test)
            assert not train & dev and not train & test and not dev & test


@pytest.mark.slow
def test_the_columns_agree_with_the_file_names(subtests):
    for name in PROTOCOLS:
        with subtests.test(name=name):
            for utterance_id, row in rows(name).items():
                said = parse_filename(Path(utterance_id))
                assert (said.id, said.corpus, said.speaker, said.emotion) == tuple(row.values())[:4]


def test_protocols_with_shared_speakers_are_declared(subtests):
    for name, fold in [case for case in SPLITS if case[0] in SPEAKER_OVERLAP]:
        with subtests.test(name=name, fold=fold):
            parts = protocol_split(name, fold)
            assert speakers(parts.train) & speakers(parts.test)
            assert "shares speakers" in SPEAKER_OVERLAP[name]


# --- each protocol ---------------------------------------------------------------------------------------------------


def test_speaker_independent_tests_every_usable_utterance_once():
    assert len(ENGLISH) == N_USABLE
    tested = Counter(
        i for fold in protocol_folds("speaker-independent") for i in protocol_split("speaker-independent", fold).test
    )
    assert set(tested) == set(ENGLISH) and set(tested.values()) == {1}


def test_speaker_independent_folds_are_the_published_ones():
    fold_of = {row["speaker"]: row["fold"] for row in ENGLISH.values()}

    def numbers(corpus: str, fold: int) -> list[int]:
        return sorted(int(s[len(corpus) + 1 :]) for s, f in fold_of.items() if s.startswith(corpus) and f == str(fold))

    assert [numbers("ravdess", fold) for fold in range(5)] == [
        [2, 5, 14, 15, 16],
        [3, 6, 7, 13, 18],
        [10, 11, 12, 19, 20],
        [8, 17, 21, 23, 24],
        [1, 4, 9, 22],
    ]
    blocks = [(1001, 1018), (1019, 1036), (1037, 1054), (1055, 1072), (1073, 1091)]
    assert [numbers("crema_d", k) for k in range(5)] == [list(range(first, last + 1)) for first, last in blocks]
    few = {s: f for s, f in fold_of.items() if s.startswith(("savee", "tess"))}
    assert few == {"savee-DC": "0", "savee-JE": "1", "savee-JK": "2", "savee-KL": "3", "tess-OAF": "0", "tess-YAF": "1"}


def test_song_follows_its_actor():
    assert {row["fold"] for row in ENGLISH.values() if row["speaker"] == "ravdess-02"} == {"0"}
    assert {row["corpus"] for row in ENGLISH.values() if row["speaker"] == "ravdess-02"} == {"ravdess", "ravdess_song"}


def test_development_speakers_come_from_the_training_folds(subtests):
    for fold in range(5):
        with subtests.test(fold=fold):
            dev = speakers(protocol_split("speaker-independent", fold).dev)
            assert Counter(name.split("-")[0] for name in dev) == {"ravdess": 2, "crema_d": 6}
            assert str(fold) not in {ENGLISH[i]["fold"] for i in protocol_split("speaker-independent", fold).dev}


def test_development_speakers_are_no_unseen_speakers():
    parts = protocol_split("speaker-independent", "0")
    known = training_speakers("speaker-independent", "0")
    assert known == speakers(parts.train + parts.dev) and not known & speakers(parts.test)


def test_resonet_sizes_and_speakers():
    parts = protocol_split("resonet")
    sizes = Counter((ALL[i]["corpus"], part) for part in ("train", "dev", "test") for i in getattr(parts, part))
    assert [sizes["ravdess", part] for part in ("train", "dev", "test")] == [960, 240, 240]
    assert [sizes["tess", part] for part in ("train", "dev", "test")] == [1960, 420, 420]
    assert [sizes["savee", part] for part in ("train", "dev", "test")] == [336, 72, 72]
    assert sum(sizes[key] for key in sizes if key[0] == "crema_d") == 7435
    for corpus, wanted in (("ravdess", (16, 4, 4)), ("crema_d", (72, 9, 10))):
        drawn = [speakers(ids, {corpus}) for ids in (parts.train, parts.dev, parts.test)]
        assert tuple(map(len, drawn)) == wanted
        assert len(set.union(*drawn)) == sum(wanted)
    assert {ALL[i]["corpus"] for i in parts.train} == set(SPEECH_CORPORA)


def test_resonet_shares_each_speaker_of_savee_and_tess_evenly():
    parts = protocol_split("resonet")
    tested = Counter(ALL[i]["speaker"] for i in parts.test if ALL[i]["corpus"] in ("savee", "tess"))
    assert tested == {"savee-DC": 18, "savee-JE": 18, "savee-JK": 18, "savee-KL": 18, "tess-OAF": 210, "tess-YAF": 210}


def test_ravdess_random_sizes_are_the_published_ones():
    parts = protocol_split("ravdess-random")
    assert (len(parts.train), len(parts.dev), len(parts.test)) == (1961, 0, 491)
    tested = Counter(ALL[i]["emotion"] for i in parts.test)
    assert all(tested[emotion] in (75, 76) for emotion in ("calm", "happy", "sad", "angry", "fear"))
    assert all(tested[emotion] in (38, 39) for emotion in ("neutral", "disgust", "surprise"))


def test_leave_one_corpus_out(subtests):
    for corpus in SPEECH_CORPORA:
        with subtests.test(corpus=corpus):
            parts = protocol_split("leave-one-corpus-out", corpus)
            own = {"ravdess", "ravdess_song"} if corpus == "ravdess" else {corpus}
            assert {ALL[i]["corpus"] for i in parts.test} == own
            assert not {ALL[i]["corpus"] for i in parts.train} & own
            assert (
                {ALL[i]["emotion"] for i in parts.train}
                == {ALL[i]["emotion"] for i in parts.test}
                == set(COMMON_EMOTIONS)
            )
            assert len(parts.train + parts.test) == sum(row["emotion"] in COMMON_EMOTIONS for row in ENGLISH.values())


def test_speaker_independent_8_keeps_the_english_folds():
    eight = rows("speaker-independent-8")
    assert set(eight) == set(ALL)
    assert {i: row["fold"] for i, row in eight.items() if i in ENGLISH} == {
        i: row["fold"] for i, row in ENGLISH.items()
    }


def test_speaker_independent_8_deals_the_other_speakers_to_the_folds(subtests):
    fold_of = {row["speaker"]: row["fold"] for row in rows("speaker-independent-8").values()}
    for corpus in OTHER_LANGUAGE_CORPORA:
        with subtests.test(corpus=corpus):
            dealt = [fold_of[name] for name in sorted(fold_of) if name.startswith(f"{corpus}-")]
            assert dealt == [str(i % 5) for i in range(len(dealt))]


def test_development_speakers_of_speaker_independent_8(subtests):
    for fold in range(5):
        with subtests.test(fold=fold):
            dev = speakers(protocol_split("speaker-independent-8", fold).dev)
            assert Counter(name.split("-")[0] for name in dev) == {"ravdess": 2, "crema_d": 6, "hindi": 1, "ased": 2}
            assert speakers(protocol_split("speaker-independent", fold).dev) < dev


def test_left_out_trains_on_the_seven_other_corpora(subtests):
    for corpus in ALL_SPEECH_CORPORA:
        with subtests.test(corpus=corpus):
            parts = protocol_split("left-out", corpus)
            assert not parts.dev
            assert {ALL[i]["corpus"] for i in parts.test} == {corpus}
            own = {"ravdess", "ravdess_song"} if corpus == "ravdess" else {corpus}
            assert {ALL[i]["corpus"] for i in parts.train} == {*ALL_SPEECH_CORPORA, "ravdess_song"} - own
    assert set(protocol_folds("left-out")) == set(ALL_SPEECH_CORPORA)


# --- the same on every machine ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_committed_file_follows_from_the_names(name, tmp_path, monkeypatch):
    shuffled = list(utterances())
    random.Random(name).shuffle(shuffled)
    committed = (paths.PROTOCOLS / f"{name}.csv").read_bytes()
    monkeypatch.setattr(paths, "PROTOCOLS", tmp_path)
    assert write_protocol(name, shuffled).read_bytes() == committed


def test_a_file_that_cannot_be_written_to_its_end_leaves_the_one_before_it(tmp_path, monkeypatch):
    """As on a full disk: half a protocol would put test clips nowhere, and no message said so."""
    monkeypatch.setattr(paths, "PROTOCOLS", tmp_path)
    path = write_protocol("left-out", utterances())
    before = path.read_bytes()
    unwritable = replace(utterances()[-1], emotion="\udc80")
    with pytest.raises(UnicodeEncodeError):
        write_protocol("left-out", [*utterances()[:-1], unwritable])
    assert path.read_bytes() == before and [*tmp_path.iterdir()] == [path]


@pytest.mark.corpora
@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_committed_file_follows_from_the_recordings(name, tmp_path, monkeypatch):
    found = read_corpora(corpora_root()).utterances
    if {row["corpus"] for row in read_protocol(name)} - {u.corpus for u in found}:
        pytest.skip("corpora of this protocol are not in SER_CORPORA")
    committed = (paths.PROTOCOLS / f"{name}.csv").read_bytes()
    monkeypatch.setattr(paths, "PROTOCOLS", tmp_path)
    assert write_protocol(name, reversed(found)).read_bytes() == committed


def test_a_draw_does_not_favour_an_emotion_or_a_sex():
    """A biased hash would give one class a small test part: each class has its share in it, within 40 %."""
    by_emotion = defaultdict(list)
    for row in rows("resonet").values():
        by_emotion[row["emotion"]].append(row["part"] == "test")
    shares = [sum(tested) / len(tested) for tested in by_emotion.values()]
    assert min(shares) > 0.6 * 0.13 and max(shares) < 1.4 * 0.13


# --- what does not exist ---------------------------------------------------------------------------------------------


def test_an_unknown_protocol_lists_what_exists():
    with pytest.raises(ProtocolError, match="'random'") as error:
        protocol_split("random")
    assert all(name in str(error.value) for name in PROTOCOLS)


def test_an_unknown_fold_lists_what_exists(subtests):
    for fold in [5, "5", -1, None, "savee"]:
        with subtests.test(fold=fold), pytest.raises(ProtocolError, match="0, 1, 2, 3, 4"):
            protocol_split("speaker-independent", fold)


def test_the_protocol_of_a_test_part(subtests):
    for name, fold in SPLITS:
        with subtests.test(name=name, fold=fold):
            assert protocol_of_split(split_name(name, fold)) == name
    assert protocol_of_split("speaker-independent-9") is protocol_of_split("") is None


def test_a_fold_of_a_single_split_is_refused():
    with pytest.raises(ProtocolError, match="fold"):
        protocol_split("resonet", 0)


def test_a_missing_file_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PROTOCOLS", tmp_path)
    with pytest.raises(ProtocolError, match=r"resonet\.csv is missing.*scripts\.make_protocols"):
        read_protocol("resonet")


def test_every_english_speaker_has_a_fold():
    assert {speaker_independent_fold(u) for u in utterances() if u.id in ENGLISH} == set("01234")


def test_the_files_are_plain_csv():
    for name in PROTOCOLS:
        with (paths.PROTOCOLS / f"{name}.csv").open(newline="") as file:
            header = next(csv.reader(file))
        assert header[:4] == ["utterance", "corpus", "speaker", "emotion"] and header[4] in ("fold", "part")
