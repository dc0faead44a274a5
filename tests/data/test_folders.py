"""Folders of one's own: tables in every form that spreadsheets write, folders of emotions, and what is left out."""

import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from ser_core.data.folders import (
    MISSING_FILE,
    UNKNOWN_SPEAKER,
    parse_utterance_id,
    read_folder,
)
from ser_core.data.utterances import CORPUS_NAMES, CorpusError
from tests.make_corpus import empty_files

ROWS = (("a.wav", "Ann", "angry"), ("sub/b.wav", "Bob", "Sad"), ("sub/ü.wav", "Ann", "happy"))


def table(rows=ROWS, header=("path", "speaker", "emotion"), separator=",") -> str:
    return "\r\n".join(separator.join(row) for row in (header, *rows)) + "\r\n"


@pytest.fixture
def office(tmp_path) -> Path:
    """A folder named office with the files of ROWS."""
    return empty_files(tmp_path / "office", *(name for name, _, _ in ROWS))


def labels(listing) -> dict[str, str]:
    return {utterance.path.name: utterance.emotion for utterance in listing.utterances}


WANTED = {"a.wav": "angry", "b.wav": "sad", "ü.wav": "happy"}

# --- tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_of_every_spreadsheet(office, encoding, separator):
    (office / "labels.csv").write_bytes(table(separator=separator).encode(encoding))
    found = read_folder(office)
    assert labels(found) == WANTED and not found.excluded
    assert {u.corpus for u in found.utterances} == {"office"}
    assert {u.speaker for u in found.utterances} == {"office-Ann", "office-Bob"}
    assert all(u.path.is_file() and u.language is None and u.sex == "unknown" for u in found.utterances)
    assert labels(read_folder(office / "labels.csv")) == WANTED


def test_windows_paths_and_other_normal_forms(office):
    rows = [(unicodedata.normalize("NFD", name).replace("/", "\\"), *rest) for name, *rest in ROWS]
    (office / "labels.csv").write_text(table(rows))
    assert labels(read_folder(office)) == WANTED


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_words_in_other_normal_forms_and_with_blanks(tmp_path, forms):
    of_folder, of_mapping = (unicodedata.normalize(form, "Fröhlich") for form in forms)
    empty_files(tmp_path / "office", f"{of_folder}/a.wav", "sad /b.wav")
    found = read_folder(str(tmp_path / "office"), {of_mapping: "Happy"})
    assert labels(found) == {"a.wav": "happy", "b.wav": "sad"} and not found.excluded


def test_column_names_in_any_case_and_order(office):
    rows = [(emotion, name, speaker, "note") for name, speaker, emotion in ROWS]
    (office / "labels.csv").write_text(table(rows, (" Emotion", "PATH", "Speaker ", "comment")))
    assert labels(read_folder(office)) == WANTED


def test_the_corpus_column_names_the_corpora(office):
    rows = [(*row, corpus) for row, corpus in zip(ROWS, ("one", "two/x", ""), strict=True)]
    (office / "labels.csv").write_text(table(rows, ("path", "speaker", "emotion", "corpus")))
    assert {u.path.name: u.corpus for u in read_folder(office).utterances} == {
        "a.wav": "one",
        "b.wav": "two_x",
        "ü.wav": "office",
    }


def test_a_table_without_speakers_counts_before_the_names_of_folders(tmp_path):
    empty_files(tmp_path / "x", "happy/a.wav", "sad/b.wav")
    (tmp_path / "x" / "labels.csv").write_text("path,emotion\nhappy/a.wav,angry\nsad/b.wav,fear\n")
    found = read_folder(tmp_path / "x")
    assert labels(found) == {"a.wav": "angry", "b.wav": "fear"}
    assert {u.speaker for u in found.utterances} == {f"x-{UNKNOWN_SPEAKER}"}


@pytest.mark.parametrize("column", ["abstain", "abstained"])
def test_predictions_beside_the_recordings_are_no_labels(tmp_path, column):
    empty_files(tmp_path / "x", "sad/a.wav")
    (tmp_path / "x" / "results.csv").write_text(f"file,error,emotion,{column}\nsad/a.wav,,happy,False\n")
    assert labels(read_folder(tmp_path / "x")) == {"a.wav": "sad"}


@pytest.mark.parametrize(("one", "two"), [("A+", "A-"), ("Ann Lee", "Ann-Lee"), ("+", "-"), ("+", "")])
def test_two_speakers_of_one_plain_name_are_an_error(office, one, two):
    (office / "labels.csv").write_text(table([("a.wav", one, "sad"), ("sub/b.wav", two, "sad")]))
    with pytest.raises(CorpusError, match=re.escape(f"{one!r} and {two or UNKNOWN_SPEAKER!r}")):
        read_folder(office)


def test_two_corpora_or_folders_of_one_plain_name_are_an_error(office, tmp_path):
    rows = [("a.wav", "Ann", "sad", "one two"), ("sub/b.wav", "Ann", "sad", "one-two")]
    (office / "labels.csv").write_text(table(rows, ("path", "speaker", "emotion", "corpus")))
    with pytest.raises(CorpusError, match="'one two' and 'one-two'"):
        read_folder(office)
    with pytest.raises(CorpusError, match="'A/B' and 'A B'"):
        read_folder(empty_files(tmp_path / "x", "sad/A B/a.wav", "sad/A/B/a.wav"))


def test_both_normal_forms_of_a_name_are_one_speaker(office):
    names = [unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD")]
    (office / "labels.csv").write_text(table([("a.wav", names[0], "sad"), ("sub/b.wav", names[1], "sad")]))
    assert {u.speaker for u in read_folder(office).utterances} == {"office-Zoë"}


def test_absolute_paths(office, tmp_path):
    (tmp_path / "elsewhere.csv").write_text(table([(str(office / "a.wav"), "Ann", "angry")]))
    assert labels(read_folder(tmp_path / "elsewhere.csv")) == {"a.wav": "angry"}


def test_emotions_are_mapped_or_left_out(office):
    rows = [("a.wav", "Ann", "Joy"), ("sub/b.wav", "Bob", "boredom"), ("sub/ü.wav", "Ann", "")]
    (office / "labels.csv").write_text(table(rows))
    found = read_folder(office, {"joy": "happy"})
    assert labels(found) == {"a.wav": "happy"}
    assert sorted(found.excluded.values()) == ["unknown emotion ''", "unknown emotion 'boredom'"]
    with pytest.raises(CorpusError, match="glad"):
        read_folder(office, {"joy": "glad"})


def test_missing_files_are_left_out_by_row(office):
    (office / "labels.csv").write_text(table([*ROWS, ("gone.wav", "Ann", "sad"), ("C:\\x\\y.wav", "Ann", "sad")]))
    found = read_folder(office)
    assert labels(found) == WANTED
    assert [(where.split(",")[0], reason) for where, reason in found.excluded.items()] == [
        ("row 5", MISSING_FILE),
        ("row 6", MISSING_FILE),
    ]


def test_a_file_listed_twice_counts_once_and_never_with_two_labels(office):
    rows = [*ROWS, ("./a.wav", "Ann", "angry"), ("sub/b.wav", "Bob", "happy")]
    (office / "labels.csv").write_text(table(rows))
    found = read_folder(office)
    assert labels(found) == {"a.wav": "angry", "ü.wav": "happy"}
    assert Counter(reason.split(":")[0] for reason in found.excluded.values()) == {
        "listed before": 1,
        "listed with two different emotions": 2,
    }


def test_a_file_of_two_speakers_is_left_out(office):
    (office / "labels.csv").write_text(table([*ROWS, ("./a.wav", "Bob", "angry")]))
    found = read_folder(office)
    assert labels(found) == {"b.wav": "sad", "ü.wav": "happy"}
    assert [*found.excluded.values()] == ["listed with two different speakers"] * 2


def test_a_row_without_a_speaker_agrees_with_one_that_has_one(office):
    (office / "labels.csv").write_text(table([("a.wav", "", "angry"), ("./a.wav", "Ann", "angry")]))
    assert [utterance.speaker.rpartition("-")[2] for utterance in read_folder(office).utterances] == ["Ann"]


@pytest.mark.parametrize("header", ["path,speaker,emotion,Emotion", "file,filename,emotion", "path,label,Label"])
def test_a_table_with_a_column_twice_is_refused(office, header):
    (office / "labels.csv").write_text(f"{header}\na.wav,a.wav,sad,angry\n")
    with pytest.raises(CorpusError, match=r"labels\.csv has several columns \w+ .*keep one"):
        read_folder(office)


@pytest.mark.parametrize("name", ["speaker_id", "SpeakerID", "Actor", "subject", "Participant ID", "talker-id"])
def test_the_usual_names_of_the_column_of_speakers(office, name):
    (office / "labels.csv").write_text(table(header=("path", name, "emotion")))
    found = read_folder(office)
    assert {u.speaker for u in found.utterances} == {"office-Ann", "office-Bob"} and not found.note
    (office / "labels.csv").write_text(table([(*row, "x") for row in ROWS], ("path", "speaker", "emotion", name)))
    assert {u.speaker for u in read_folder(office).utterances} == {"office-Ann", "office-Bob"}


def test_two_columns_of_speakers_are_named(office):
    (office / "labels.csv").write_text("path,emotion,Actor,subject_id\na.wav,sad,A,1\n")
    with pytest.raises(CorpusError, match=r"several columns speaker \(actor, subject_id\): keep one"):
        read_folder(office)


def test_columns_that_are_not_used_are_named_where_none_has_the_speakers(office):
    for header, note in (
        (("path", "Speakr", "emotion"), "labels.csv has no column speaker; columns that are not used: speakr"),
        (("path", "corpus", "emotion"), ""),
    ):
        (office / "labels.csv").write_text(table(header=header))
        assert read_folder(office).note == note


def test_files_that_the_table_of_a_folder_does_not_list_are_left_out(office):
    empty_files(office, "more/c.wav", ".old/d.wav", "notes.txt", "._a.wav")
    (office / "labels.csv").write_text(table([("A.wav", "Ann", "angry"), ("sub/b.wav", "Bob", "joy")]))
    assert read_folder(office).excluded == {
        "row 3, sub/b.wav": "unknown emotion 'joy'",
        "sub/ü.wav": "not listed in labels.csv",
        "more/c.wav": "not listed in labels.csv",
    }
    assert len(read_folder(office / "labels.csv").excluded) == 1  # a part of the files on purpose


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_line_ends_of_every_system(office, end):
    (office / "labels.csv").write_bytes(table().replace("\r\n", end).encode())
    assert labels(read_folder(office)) == WANTED


def test_a_path_that_no_file_can_have_is_left_out(office):
    (office / "labels.csv").write_text(table([*ROWS, ("x" * 5000, "Ann", "sad")]))
    found = read_folder(office)
    assert labels(found) == WANTED
    assert all(reason.startswith("cannot be read: ") for reason in found.excluded.values()) and len(found.excluded) == 1


@pytest.mark.parametrize("content", [b"a," + b"x" * 200_000, b"\x81\x8d\x00\xff,\x9d", b"\xff\xfea"])
def test_other_tables_and_folders_named_like_tables_are_no_labels(tmp_path, content):
    empty_files(tmp_path / "x", "sad/a.wav", "old.csv/b.txt")
    (tmp_path / "x" / "junk.csv").write_bytes(content)
    assert labels(read_folder(tmp_path / "x")) == {"a.wav": "sad"}


def test_a_table_of_labels_that_cannot_be_read_is_an_error(office, tmp_path, monkeypatch):
    (office / "labels.csv").write_text(table() + "x" * 200_000 + ",Ann,sad\n")
    with pytest.raises(CorpusError, match=r"labels\.csv, line 5"):
        read_folder(office)

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(CorpusError, match=r"labels\.csv cannot be read: Permission denied"):
        read_folder(office)
    with pytest.raises(CorpusError, match="cannot be read"):
        read_folder(tmp_path / ("x" * 5000))


def test_incomplete_rows_and_empty_lines(office):
    (office / "labels.csv").write_text("path,speaker,emotion\n\na.wav,Ann,angry\nsub/b.wav\n,,\n")
    found = read_folder(office)
    assert labels(found) == {"a.wav": "angry"} and list(found.excluded) == ["row 4, sub/b.wav", "sub/ü.wav"]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("path,speaker\na.wav,Ann\n", "no column emotion"),
        ("", "none"),
        ("path,speaker,emotion\n", "recordings"),
        ("path,speaker,emotion\ngone.wav,Ann,sad\n", r"gone\.wav"),
        ("path,speaker,emotion\na.wav,Ann,joy\n", "--map"),
    ],
)
def test_an_unusable_table_says_why(office, content, named):
    (office / "labels.csv").write_text(content)
    with pytest.raises(CorpusError, match=named):
        read_folder(office / "labels.csv")


@pytest.mark.parametrize("header", ["Dateiname;Emotion", "sep=;"])
def test_a_folder_without_labels_says_why_its_table_has_none(office, header):
    (office / "labels.csv").write_text(f"{header}\na.wav;angry\n")
    with pytest.raises(CorpusError, match=rf"labels\.csv has no column path.* It has: {header.split(';')[0].lower()}"):
        read_folder(office)


def test_an_unknown_encoding(office):
    (office / "labels.csv").write_bytes(b"path,speaker,emotion\n\x81\x8d.wav,Ann,sad\n")
    with pytest.raises(CorpusError, match="UTF-8"):
        read_folder(office)


def test_of_several_tables_one_must_be_named(office):
    for name in ("one.csv", "two.csv"):
        (office / name).write_text(table())
    (office / "notes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CorpusError, match=r"one\.csv, two\.csv"):
        read_folder(office)
    assert labels(read_folder(office / "two.csv")) == WANTED


@pytest.mark.parametrize("name", CORPUS_NAMES)
def test_names_of_known_corpora_are_refused(tmp_path, name):
    empty_files(tmp_path / name, "sad/a.wav")
    with pytest.raises(CorpusError, match=name):
        read_folder(tmp_path / name)


# --- folders named after emotions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["{emotion}/{speaker}/{n}.wav", "{speaker}/{emotion}/{n}.wav"])
def test_folders_of_emotions_and_speakers(tmp_path, form):
    words = {"Ann": ("angry", "SAD"), "Bob": ("happy", "angry")}
    names = [form.format(emotion=e, speaker=s, n=n) for s, es in words.items() for e in es for n in range(2)]
    found = read_folder(empty_files(tmp_path / "my corpus", *names))
    assert Counter((u.speaker, u.emotion) for u in found.utterances) == {
        ("my_corpus-Ann", "angry"): 2,
        ("my_corpus-Ann", "sad"): 2,
        ("my_corpus-Bob", "happy"): 2,
        ("my_corpus-Bob", "angry"): 2,
    }


def test_folders_of_emotions_alone_have_one_unknown_speaker(tmp_path):
    empty_files(tmp_path / "x", "sad/a.M4A", "joy/b.wav", "calm/._c.wav", "boredom/d.wav", "sad/notes.txt", "e.wav")
    found = read_folder(tmp_path / "x", {"Joy": "happy"})
    assert {u.path.name: u.emotion for u in found.utterances} == {"a.M4A": "sad", "b.wav": "happy"}
    assert {u.speaker for u in found.utterances} == {f"x-{UNKNOWN_SPEAKER}"}
    assert found.excluded == {"boredom/d.wav": "unknown emotion 'boredom'", "e.wav": "unknown emotion ''"}


@pytest.mark.parametrize("others", [(), ("happy/c.wav",), ("Ann/sad/c.wav", "Bob/sad/c.wav")])
def test_folders_of_two_emotions_or_hidden_ones_give_no_label(tmp_path, others):
    empty_files(tmp_path / "x", "happy/sad/a.wav", "happy/.old/b.wav", "joy/Happy/d.wav", "joy/e.wav", *others)
    found = read_folder(tmp_path / "x", {"joy": "happy"})
    assert {"joy/Happy/d.wav", *others} & {str(u.path.relative_to(tmp_path / "x")) for u in found.utterances}
    assert found.excluded["happy/sad/a.wav"] == "its folders name several emotions: happy, sad"
    assert found.excluded["happy/.old/b.wav"] == "in a hidden folder"


def test_a_folder_without_recordings_says_what_is_expected(tmp_path):
    with pytest.raises(CorpusError, match="path, speaker, emotion"):
        read_folder(tmp_path)
    with pytest.raises(CorpusError, match="does not exist"):
        read_folder(tmp_path / "nowhere")


# --- ids -------------------------------------------------------------------------------------------------------------


def test_a_changed_file_is_another_recording(office):
    (office / "labels.csv").write_text(table())
    before = {u.path: u.id for u in read_folder(office).utterances}
    (office / "a.wav").write_bytes(b"again")
    after = {u.path: u.id for u in read_folder(office).utterances}
    assert [path.name for path in before if before[path] != after[path]] == ["a.wav"]


def test_an_id_holds_all_labels(tmp_path):
    empty_files(tmp_path / "x", "Ann/sad/03-01-05-01-01-01-01.wav", "Ann/sad/deep/er/b.wav")
    for utterance in read_folder(tmp_path / "x").utterances:
        again = parse_utterance_id(utterance.id)
        assert (again.id, again.corpus, again.speaker, again.emotion) == (
            utterance.id,
            utterance.corpus,
            utterance.speaker,
            utterance.emotion,
        )
    assert parse_utterance_id("ravdess/03-01-05-01-01-01-01").corpus == "ravdess"
    assert parse_utterance_id("hindi/2-5-disgust-09").speaker == "hindi-2"
    assert [parse_utterance_id(text) for text in ("", "a/b", "a/b/glad/c.wav", "a/b/sad/")] == [None] * 4
