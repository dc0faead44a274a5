"""Annotations of other programs are read as they are, or refused with the place of the fault."""

from dataclasses import replace

import pytest

from ser_core.inference.annotation.annotations import Annotation, AnnotationError, alone_s
from ser_core.inference.annotation.reading import read_annotations
from ser_core.inference.segments import Segment
from ser_core.inference.writers import as_textgrid

RTTM = (
    ";; made by a diariser\r\n"
    "SPEAKER talk 1 0.50 1.50 <NA> <NA> anna <NA> <NA>\r\n"
    "SPEAKER talk 1 1.50 1.00 <NA> <NA> ben <NA> <NA>\r\n"
    "SPKR-INFO talk 1 <NA> <NA> <NA> unknown anna <NA> <NA>\r\n"
)
SRT = "1\r\n00:00:00,500 --> 00:00:02,000\r\n[anna]: <i>well</i>,\r\nthen\r\n\r\n"
SRT += "2\r\n00:00:02,000 --> 00:00:02,500\r\nno\r\n"
SHORT = 'File type = "ooTextFile"\n"TextGrid"\n0\n3\n<exists>\n1\n"IntervalTier"\n"say ""so"""\n0\n3\n2\n'
SHORT += '0\n1.25\n""\n1.25\n3\n"né 7 ""x"""\n'


def read(name: str, text: str | bytes, duration_s: float = 3.0, **options):
    return read_annotations(name, text.encode() if isinstance(text, str) else text, duration_s, **options)


def rows(found, tier: str = "") -> list[tuple]:
    return [(one.start_s, one.end_s, one.label, one.speaker) for one in found.tiers[tier]]


def test_rttm_has_turns_with_speakers_and_names_their_overlap():
    found = read("talk.RTTM", RTTM)
    assert rows(found) == [(0.5, 2.0, "", "anna"), (1.5, 2.5, "", "ben")]
    assert len(found.notes) == 1 and found.notes[0].startswith("0.5 s")
    one, other = found.tiers[""]
    assert alone_s(one, [one, other]) == pytest.approx(1.0) and alone_s(other, [one]) == pytest.approx(0.5)
    assert alone_s(one, [replace(one)]) == 0


def test_rttm_of_several_recordings_is_read_for_the_one_of_this_name():
    several = RTTM + "SPEAKER other 1 0 1 <NA> <NA> cleo <NA> <NA>\n"
    assert [one.speaker for one in read("all.rttm", several, recording="other.wav").tiers[""]] == ["cleo"]
    with pytest.raises(AnnotationError, match="none named third"):
        read("all.rttm", several, recording="third.wav")


def test_subtitles_have_words_and_may_have_speakers():
    assert rows(read("a.srt", SRT)) == [(0.5, 2.0, "well, then", "anna"), (2.0, 2.5, "no", "")]


@pytest.mark.parametrize(
    "text",
    [
        "start_s,end_s,label,speaker\n0.5,2,sad,anna\n",
        "\ufeffFrom;To;Label;Speaker\r\n0,5;2;sad;anna\r\n\r\n",
        "speaker\tstart\tend\tlabel\nanna\t0:00.5\t0:00:02\tsad\n",
    ],
)
def test_a_table_may_come_from_any_spreadsheet(text):
    assert rows(read("a.csv", text)) == [(0.5, 2.0, "sad", "anna")]


def test_times_may_have_minutes_and_hours():
    assert rows(read("a.csv", "start_s,end_s\n1:02.5,1:00:01\n", 3601.0)) == [(62.5, 3601, "", "")]


def test_tiers_of_the_same_name_are_all_kept():
    twice = SHORT.replace("\n1\n", "\n2\n", 1) + SHORT.partition("\n1\n")[2].replace("né", "so")
    found = read("a.TextGrid", twice)
    assert [rows(found, name)[0][2][:2] for name in ('say "so"', 'say "so" 2')] == ["né", "so"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
def test_a_short_textgrid_in_the_encodings_of_praat(encoding):
    found = read("a.TextGrid", SHORT.replace("\n", "\r\n").encode(encoding))
    assert rows(found, 'say "so"') == [(1.25, 3.0, 'né 7 "x"', "")] and not found.notes


def test_a_textgrid_with_a_clock_of_its_own_counts_from_its_start():
    """As Praat saves the part from 1 s to 4 s with “preserve times”."""
    part = SHORT.replace("\n3\n", "\n4\n").replace("\n0\n", "\n1\n").replace("1.25", "2.25")
    assert rows(read("a.TextGrid", part), 'say "so"') == [(1.25, 3.0, 'né 7 "x"', "")]
    with pytest.raises(AnnotationError, match=r"describes 3\.00 s from 1 s on its clock, the recording has 4\.00 s"):
        read("a.TextGrid", part, 4.0)
    with pytest.raises(AnnotationError, match=r"from 0\.3 s"):  # of the uncut recording
        read("a.TextGrid", SHORT.replace("\n0\n", "\n0.3\n"))


def test_an_empty_line_between_subtitles_may_be_missing_or_within_one():
    assert rows(read("a.srt", SRT.replace("\r\n\r\n", "\r\n"))) == rows(read("a.srt", SRT))
    assert rows(read("a.srt", SRT.replace("then", "\r\nthen"))) == rows(read("a.srt", SRT))


def test_a_cell_may_hold_line_breaks():
    assert rows(read("a.csv", 'start_s,end_s,label\n0,1,"so\nwhat"\n1,2,y\n')) == [
        (0, 1, "so what", ""),
        (1, 2, "y", ""),
    ]


def test_another_encoding_is_read_with_a_note():
    found = read("a.TextGrid", SHORT.encode("cp1252"))
    assert rows(found, 'say "so"')[0][2].startswith("né") and "Windows-1252" in found.notes[0]


def test_our_own_textgrid_is_read_again():
    segments = (Segment(0, 1, "no speech"), Segment(1, 3, "sad", 2, "sad", 0.6))
    found = read("own.TextGrid", as_textgrid(((1.0, 2.5),), {"m": segments}, 3.0))
    assert list(found.tiers) == ["speech", "emotion", "confidence"]
    assert rows(found, "speech") == [(1, 2.5, "speech", "")] and rows(found, "emotion") == [(1, 3, "sad", "")]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.eaf", "x", "none of"),
        ("a.csv", "a,b\n1,2\n", "start_s"),
        ("a.csv", "", "empty"),
        ("a.csv", "start_s,end_s\n1,two\n", "Line 2: “two”"),
        ("a.csv", "start_s,end_s\n2,1\n", "Line 2: 2 s to 1 s"),
        ("a.csv", "start_s,end_s\nnan,1\n", "Line 2"),
        ("a.csv", "start_s,end_s\n1,4\n", "ends after the recording"),
        ("a.csv", "start_s,end_s\n3,3.2\n", "ends after the recording"),
        ("a.csv", 'start_s,end_s,label\n0,1,"so\nwhat"\n1,two,y\n', "Line 4: “two”"),
        ("a.csv", "start_s,end_s\n", "no segment"),
        ("a.csv", b"start_s,end_s\n\x001,2\n", "text file"),
        ("a.csv", 'start_s,end_s,label\n0,1,"hm,\n1,2,y\n2,3,z', "begins in line 2"),
        ("a.csv", 'start_s,end_s,label\n0,1,x\n1,2,"hm,\n2,3,"z"', "begins in line 3"),
        ("a.csv", f"start_s,end_s,label\n0,1,{'x' * 131_073}\n", "begins in line 2"),
        ("a.csv", "start_s,end_s,label\n0,1,well, then\n", "Line 2 has 4 cells for 3 columns"),
        ("a.csv", "start_s,end_s,label\n0,1,x\n0,5,1,5\n", "Line 3 has 4 cells"),
        ("a.rttm", "SPEAKER talk 1 0.5\n", "Line 1"),
        *(
            ("a.rttm", RTTM.replace("SPEAKER talk", f"SPEAKER {name}"), "Line 2 .* spaces")
            for name in ("my file", "take 2", "a 1 2")
        ),
        ("a.rttm", RTTM.replace("anna <NA> <NA>", "anna b <NA> <NA>"), "Line 2"),
        ("a.rttm", "SPEAKER take 2 1 0.5 1 <NA> <NA> anna <NA>\n", "Line 1"),
        ("a.TextGrid", SHORT.replace("\n2\n", "\n1\n"), "more intervals or tiers"),
        ("a.TextGrid", SHORT + SHORT.partition("\n1\n")[2], "more intervals or tiers"),
        ("a.TextGrid", SHORT.replace("\n3\n", "\n4.9.3\n", 1), "damaged"),
        ("a.srt", "1\n0:1 --> 2\nno\n", "Line 2"),
        ("a.TextGrid", "Dear diary", "damaged"),
        ("a.TextGrid", SHORT[:-30], "damaged"),
        ("a.TextGrid", SHORT.replace("\n3\n", "\n9\n"), "describes 9.00 s"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_why(name, content, words):
    with pytest.raises(AnnotationError, match=words):
        read(name, content)


def test_the_last_segment_may_end_a_little_after_the_recording():
    assert rows(read("a.csv", "start_s,end_s\n1,3.2\n")) == [(1, 3.0, "", "")]


def test_annotations_are_spans():
    with pytest.raises(AnnotationError):
        Annotation(-1, 2)
