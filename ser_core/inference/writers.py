"""Formats of other programs, by hand as each is few lines: Praat TextGrid, SRT subtitles, cells of spreadsheets."""

from collections.abc import Mapping, Sequence

from ser_core.audio import SpeechSegments
from ser_core.inference.segments import NOT_ANALYSED, Segment
from ser_core.inference.smoothing import NO_SPEECH, label_in_words
from ser_core.labels import format_probability

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
TextGridInterval = tuple[float, float, str]  # start_s, end_s, text


def guard_formula(value):
    """The value as a cell of a CSV table; a text that a spreadsheet would run as a formula gets an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def as_textgrid(speech: SpeechSegments, segments_by_model: Mapping[str, Sequence[Segment]], duration_s: float) -> str:
    """A Praat TextGrid in the long text format, to be saved as UTF-8.

    Tiers: speech; then emotion and confidence of each model, with its name if there are several. Intervals follow
    each other without gaps from 0 to duration_s; an empty text means no label.

    Args:
        speech: (start_s, end_s) of each speech segment, in order, disjoint.
        segments_by_model: segments without gaps from 0 to duration_s.
        duration_s: > 0.
    """
    tiers = {"speech": _speech_intervals(speech, duration_s)}
    for model, segments in segments_by_model.items():
        ending = f" {model}" if len(segments_by_model) > 1 else ""
        tiers[f"emotion{ending}"] = [(s.start_s, s.end_s, _label_text(s)) for s in segments]
        tiers[f"confidence{ending}"] = [(s.start_s, s.end_s, _confidence_text(s)) for s in segments]
    head = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", *_span(0, duration_s)]
    lines = [*head, "tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, intervals) in enumerate(tiers.items(), 1):
        lines += [f"    item [{number}]:", *_tier(name, intervals, duration_s)]
    return "\n".join(lines) + "\n"


def as_srt(segments: Sequence[Segment]) -> str:
    """Subtitles: label and confidence; none for segments without speech or analysis."""
    shown = [segment for segment in segments if segment.emotion]
    return "".join(
        f"{number}\n{_srt_time(s.start_s)} --> {_srt_time(s.end_s)}\n{_subtitle_text(s)}\n\n"
        for number, s in enumerate(shown, 1)
    )


def _tier(name: str, intervals: Sequence[TextGridInterval], duration_s: float) -> list[str]:
    lines = ['class = "IntervalTier"', f"name = {_quoted(name)}", *_span(0, duration_s)]
    lines.append(f"intervals: size = {len(intervals)}")
    for number, (start_s, end_s, text) in enumerate(intervals, 1):
        lines.append(f"intervals [{number}]:")
        lines += [f"    {line}" for line in (*_span(start_s, end_s), f"text = {_quoted(text)}")]
    return [f"        {line}" for line in lines]


def _span(start_s: float, end_s: float) -> tuple[str, str]:
    return f"xmin = {_format_seconds(start_s)}", f"xmax = {_format_seconds(end_s)}"


def _format_seconds(time_s: float) -> str:
    return f"{time_s:.6f}".rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    """A text in quotes as Praat reads it: inner quotes are doubled."""
    return '"' + text.replace('"', '""') + '"'


def _speech_intervals(speech: SpeechSegments, duration_s: float) -> list[TextGridInterval]:
    """The speech segments and, without text, the intervals between them."""
    intervals, until_s = [], 0.0
    for start_s, end_s in speech:
        if start_s > until_s:
            intervals.append((until_s, start_s, ""))
        intervals.append((start_s, end_s, "speech"))
        until_s = end_s
    return [*intervals, (until_s, duration_s, "")] if until_s < duration_s else intervals


def _label_text(segment: Segment) -> str:
    return "" if segment.label in (NO_SPEECH, NOT_ANALYSED) else segment.label


def _confidence_text(segment: Segment) -> str:
    return "" if segment.confidence is None else f"{segment.confidence:.2f}"


def _subtitle_text(segment: Segment) -> str:
    words = f"{segment.emotion} {format_probability(segment.confidence)}"  # type: ignore[arg-type]  # an emotion has one
    return label_in_words(segment.label, words)


def _srt_time(time_s: float) -> str:
    seconds, milliseconds = divmod(round(1000 * time_s), 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d},{milliseconds:03d}"
