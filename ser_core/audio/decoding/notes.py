"""Sentences on what was not read, or is not in the file."""

from collections.abc import Iterator

from ser_core.audio.decoding.resampling import TRUNCATION_TOLERANCE_S, DecodedAudio
from ser_core.audio.decoding.stream import DecodedStream


def decoding_notes(decoded: DecodedAudio, max_duration_s: float, is_alone: bool) -> tuple[str, ...]:
    """What was not read, or is not in the file.

    Args:
        decoded: the recording.
        max_duration_s: that could be read.
        is_alone: in its file, so that its duration is that of the file.
    """
    source, notes = decoded.source, []
    if decoded.capped:
        limit, total = _format_duration(max_duration_s), _format_duration(source.header_duration_s or 0)
        known = source.header_duration_s and is_alone and total != limit  # not "60 min of 60 min"
        notes.append(f"Only the first {limit}{f' of {total}' if known else ''} were read.")
    if decoded.is_truncated:
        known = source.header_duration_s and source.header_duration_s - decoded.decoded_s > TRUNCATION_TOLERANCE_S
        total = f" of the {source.header_duration_s:.1f} s declared by its header" if known else ""
        notes.append(f"The file ends early: {decoded.decoded_s:.1f} s{total} could be read.")
    if source.unread_s > TRUNCATION_TOLERANCE_S:
        notes.append(
            f"Its header ends before the file: {source.unread_s:.1f} s after the end it declares were not read."
        )
    if source.damaged_packets:
        notes.append(f"Damaged packets skipped: {source.damaged_packets}.")
    return (*notes, *_timing_notes(source), *decoded.repair.notes())


def _timing_notes(source: DecodedStream) -> Iterator[str]:
    if source.n_tracks > 1:
        yield f"Only track {(source.track or 0) + 1} of the {source.n_tracks} audio tracks of this file was read."
    if source.start_gap_s:
        yield f"The sound begins {source.start_gap_s:.1f} s after the picture: silence was put before it."
    if source.gaps_s:
        yield f"Silence was put in the place of {source.gaps_s:.1f} s of missing packets."
    if source.ignored_jump_s > 0:
        yield f"A jump of the time stamps by {source.ignored_jump_s:.0f} s was ignored: later times are without it."


def _format_duration(duration_s: float) -> str:
    return f"{duration_s / 60:.3g} min" if duration_s >= 60 else f"{duration_s:.3g} s"
