"""Labels of files of which only the names are known: nothing is dropped without a word."""

import pytest

from ser_core.data.file_labels import label_files
from ser_core.data.folders import read_folder
from tests.make_corpus import voice, write_wav

FILES = ("my/anna/Lärm 1.wav", "my/ben/b.wav", "1001_DFA_ANG_XX.wav", "sad/c.wav", "d.wav")


def test_names_of_corpora_and_folders_give_labels():
    found = label_files([*FILES, "trip/sad/carl/e.wav", "dora/Joy/f.wav", "my/dora/joy/g.wav"], words={"joy": "happy"})
    labels = {name: (label.emotion, label.speaker) for name, label in found.labels.items()}
    assert labels == {
        "1001_DFA_ANG_XX.wav": ("angry", "crema_d-1001"),
        "sad/c.wav": ("sad", None),
        "trip/sad/carl/e.wav": ("sad", "carl"),
        "dora/Joy/f.wav": ("happy", None),
        "my/dora/joy/g.wav": ("happy", "dora"),
    }
    assert found.labels["1001_DFA_ANG_XX.wav"].utterance_id == "crema_d/1001_DFA_ANG_XX"


@pytest.mark.parametrize(
    "names",
    [
        ("anna/happy/1.wav", "ben/sad/1.wav"),
        ("happy/anna/1.wav", "sad/ben/1.wav"),
        ("anna/first/happy/1.wav", "anna/second/sad/1.wav", "ben/first/sad/1.wav"),  # no "first" of two people
        ("happy/anna/first/1.wav", "sad/ben/first/1.wav"),
        ("anna/happy/first/1.wav", "ben/sad/first/1.wav"),
        ("happy/1.wav", "sad/2.wav"),
    ],
)
def test_folders_name_the_same_speakers_as_in_commands(tmp_path, names):
    for name in names:
        write_wav(tmp_path / "mine" / name, voice(150, len(name)))
    found = label_files([f"mine/{name}" for name in names]).labels
    expected = {f"mine/{u.path.relative_to(tmp_path / 'mine')}": u for u in read_folder(tmp_path / "mine").utterances}
    assert found.keys() == expected.keys()
    for name, label in found.items():
        assert (label.emotion, f"mine-{label.speaker or 'unknown'}") == (expected[name].emotion, expected[name].speaker)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_of_every_spreadsheet_are_read(encoding, separator):
    rows = (
        ("File", "Label", "Speaker", "Sentence"),
        (r"C:\data\my\anna\Lärm 1.wav", "Happy", "anna", "s1"),
        ("B.WAV", "wut", "", ""),
    )
    text = "\n".join(separator.join(row) for row in rows)
    found = label_files(FILES, {"labels.csv": text.encode(encoding)}, {"wut": "angry"})
    anna = found.labels["my/anna/Lärm 1.wav"]
    assert (anna.emotion, anna.speaker, anna.sentence) == ("happy", "anna", "s1")
    assert found.labels["my/ben/b.wav"].emotion == "angry" and not found.problems


def test_what_cannot_be_used_is_named():
    files = [*FILES, "x/twice.wav", "y/twice.wav"]
    table = "path,emotion\ngone.wav,sad\ntwice.wav,sad\nd.wav,furious\nsad/c.wav,\nb.wav,sad\nmy/ben/b.wav,fear\n"
    found = label_files(files, {"a.csv": table.encode(), "b.csv": b"x,y\n1,2\n", "c.csv": b"\xff\xfe\x00"})
    assert found.unknown_words == {"furious": 1, "(empty)": 1}
    where = [place for place, _ in found.problems]
    assert where == [
        *(f"a.csv, row {n}, {f}" for n, f in ((2, "gone.wav"), (3, "twice.wav"))),
        "b.csv",
        "c.csv",
        *(f"a.csv, row {n}, {f}" for n, f in ((6, "b.wav"), (7, "my/ben/b.wav"))),
    ]
    assert not found.labels.keys() & {"my/ben/b.wav", "sad/c.wav"}
    assert found.notes == ("4 of 7 files are not listed in a table: my/anna/Lärm 1.wav, ...",)


ROWS_OF_ONE_FILE = {  # (path, emotion, speaker) of its rows -> its emotion, if it has one, and what is wrong
    "two emotions": ((("d.wav", "sad", "A"), ("d.wav", "happy", "A")), None, "listed with two different emotions"),
    "an unknown one last": (
        (("d.wav", "sad", "A"), ("./D.wav", "furious", "A")),
        None,
        "listed with an emotion and with the unknown emotion 'furious'",
    ),
    "an unknown one first": (
        (("d.wav", "", "A"), ("d.wav", "Joy", "A")),
        None,
        "listed with an emotion and with the unknown emotion ''",
    ),
    "two speakers": ((("d.wav", "sad", "A"), ("d.wav", "sad", "B")), None, "listed with two different speakers"),
    "two words": ((("d.wav", "Joy", "A"), ("D.WAV", "happy", "A")), "happy", ""),
    "another case": ((("D.WAV", "sad", "A"),), "sad", ""),
    "one of two cases": ((("x/A.wav", "sad", "A"), ("x/a.wav", "happy", "A")), "sad happy", ""),
    "none of two cases": ((("x/A.WAV", "sad", "A"), ("d.wav", "happy", "A")), "happy", "several files have this name"),
}


@pytest.mark.parametrize("name", ROWS_OF_ONE_FILE)
def test_rows_of_a_file_count_as_in_commands(tmp_path, name):
    rows, emotions, reason = ROWS_OF_ONE_FILE[name]
    files = ["calm/e.wav", "d.wav", "x/A.wav", "x/a.wav"]
    for number, file in enumerate(files):
        write_wav(tmp_path / "mine" / file, voice(150, number))
    table = "\n".join(",".join(row) for row in (("path", "emotion", "speaker"), *rows, ("calm/e.wav", "calm", "A")))
    (tmp_path / "mine" / "labels.csv").write_text(table)
    found = label_files([f"mine/{file}" for file in files], {"labels.csv": table.encode()}, {"joy": "happy"})
    listing = read_folder(tmp_path / "mine", {"joy": "happy"})
    expected = [*(emotions or "").split(), "calm"]
    assert sorted(label.emotion for label in found.labels.values()) == sorted(expected)
    assert sorted(utterance.emotion for utterance in listing.utterances) == sorted(expected)
    if "several" in reason:
        assert [what for _, what in found.problems] == ["2 files have this name: give the folder too"]
        assert [what for where, what in listing.excluded.items() if where.startswith("row")] == [
            f"{reason} in another case"
        ]
    else:
        assert {what for _, what in found.problems} == {reason} - {""}
        assert all(reason in (listing.excluded[where.partition(", ")[2]], "") for where, _ in found.problems)


def test_a_disagreement_ends_where_a_word_is_translated():
    tables = {"a.csv": b"path,emotion\nd.wav,sad\n", "b.csv": b"path,emotion\nd.wav,furious\n"}
    found = label_files(["sad/d.wav"], tables)
    assert not found.labels and found.unknown_words == {"furious": 1} and len(found.problems) == 2
    assert label_files(["sad/d.wav"], tables, {"furious": "sad"}).labels["sad/d.wav"].emotion == "sad"


def test_a_table_of_speakers_completes_one_of_sentences():
    tables = {"a.csv": b"path,emotion,sentence\nd.wav,sad,IEO\n", "b.csv": b"path,emotion,speaker\nd.wav,sad,Ann\n"}
    [label] = label_files(["d.wav"], tables).labels.values()
    assert (label.emotion, label.speaker, label.sentence) == ("sad", "Ann", "IEO")


def test_columns_that_are_not_used_are_named_where_none_has_the_speakers():
    table = "path,emotion,Speakr,age{}\nd.wav,sad,anna,20,30\n"
    assert label_files(["d.wav"], {"a.csv": table.format("").encode()}).notes == (
        "a.csv has no column speaker; columns that are not used: speakr, age",
    )
    found = label_files(["d.wav"], {"a.csv": table.format(",Actor ID").encode()})
    assert not found.notes and found.labels["d.wav"].speaker == "30"


def test_folders_beside_those_of_emotions_are_named():
    found = label_files(["my/sad/a.wav", "my/furious/b.wav", "my/furious/c.wav", "d.wav"])
    assert found.unknown_words == {"furious": 2} and len(found.labels) == 1
    assert not label_files(["my/recordings/a.wav"]).unknown_words
