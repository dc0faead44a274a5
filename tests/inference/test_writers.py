"""TextGrid and SRT, read again by small readers of their own."""

import re
from itertools import pairwise

import pytest

from ser_core.inference.segments import NOT_ANALYSED, Segment
from ser_core.inference.smoothing import NO_SPEECH, NOT_SURE
from ser_core.inference.writers import as_srt, as_textgrid, guard_formula

SEGMENTS = (
    Segment(0.0, 1.25, NO_SPEECH),
    Segment(1.25, 3.0, "sad", 1.5, "sad", 0.62, (0.62,)),
    Segment(3.0, 3661.5004, NOT_SURE, 2.0, "angry", 0.31, (0.31,)),
    Segment(3661.5004, 3700.0, NOT_ANALYSED),
)
SPEECH = ((1.3, 2.0), (2.5, 3700.0))


def tiers(text: str) -> dict[str, list[tuple[float, float, str]]]:
    """Tiers of a TextGrid in the long format, by name."""
    found = {}
    for part in re.split(r"item \[\d+\]:", text)[1:]:
        name = re.search(r'name = "((?:[^"]|"")*)"', part)[1].replace('""', '"')
        rows = re.findall(r'xmin = (\S+)\s+xmax = (\S+)\s+text = "((?:[^"]|"")*)"', part)
        assert int(re.search(r"intervals: size = (\d+)", part)[1]) == len(rows)
        found[name] = [(float(start), float(end), word.replace('""', '"')) for start, end, word in rows]
    assert int(re.search(r"^size = (\d+)", text, re.MULTILINE)[1]) == len(found)
    return found


def test_a_textgrid_says_what_it_is_and_covers_everything():
    text = as_textgrid(SPEECH, {"m": SEGMENTS}, 3700.0)
    assert text.startswith('File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 3700\n')
    found = tiers(text)
    assert list(found) == ["speech", "emotion", "confidence"]
    for rows in found.values():
        assert rows[0][0] == 0 and rows[-1][1] == 3700
        assert all(one[1] == following[0] for one, following in pairwise(rows))
        assert all(end > start for start, end, _ in rows)
    assert [word for *_, word in found["emotion"]] == ["", "sad", NOT_SURE, ""]
    assert [word for *_, word in found["confidence"]] == ["", "0.62", "0.31", ""]
    assert found["speech"] == [(0, 1.3, ""), (1.3, 2, "speech"), (2, 2.5, ""), (2.5, 3700, "speech")]


def test_several_models_have_tiers_of_their_own_and_quotes_are_doubled():
    text = as_textgrid((), {'a "b"': SEGMENTS, "c": SEGMENTS}, 3700.0)
    assert list(tiers(text)) == ["speech", 'emotion a "b"', 'confidence a "b"', "emotion c", "confidence c"]
    assert 'name = "emotion a ""b"""' in text
    assert tiers(text)["speech"] == [(0, 3700, "")]


def test_subtitles_are_numbered_and_silent_where_nobody_speaks():
    assert as_srt(SEGMENTS) == (
        "1\n00:00:01,250 --> 00:00:03,000\nsad 62%\n\n2\n00:00:03,000 --> 01:01:01,500\nnot sure (angry 31%)\n\n"
    )
    assert as_srt(SEGMENTS[:1]) == ""


@pytest.mark.parametrize(("time_s", "text"), [(0.0004, "00:00:00,000"), (59.9996, "00:01:00,000")])
def test_milliseconds_are_rounded_into_the_next_minute(time_s, text):
    assert text in as_srt([Segment(time_s, 100.0, "sad", 1.0, "sad", 0.5)])


def test_a_text_that_a_spreadsheet_would_run_is_guarded():
    for text in ("=cmd|' /C calc'!A0", "+1.wav", "-1.wav", "@SUM(1).wav", "\t=1"):
        assert guard_formula(text) == f"'{text}"
    assert [guard_formula(value) for value in ("a=1.wav", "", -1.5, None, True)] == ["a=1.wav", "", -1.5, None, True]
