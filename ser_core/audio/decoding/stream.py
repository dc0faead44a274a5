"""What every decoder shares: the properties of a file that it fills in, and the error for a person."""

from dataclasses import dataclass

BLOCK_SAMPLES = 1 << 18  # decoded at once, over all channels: 1 MiB, whatever the header declares
MAX_DECLARED_S = 86_400.0  # a longer duration in a header is a placeholder, as in files written to a pipe


class AudioError(ValueError):
    """Audio file that cannot be used. The message names the cause and the cure, for the person who chose the file."""


@dataclass
class DecodedStream:
    """Properties of a file, filled in by its decoder."""

    codec: str = ""
    rate: int = 0
    channels: int = 0
    header_duration_s: float | None = None  # duration declared by the header, if any
    damaged_packets: int = 0
    truncated: bool = False  # the file ends before the end that its format declares
    unread_s: float = 0.0  # behind the end that a WAV header declares
    track: int | None = None  # the audio track to decode
    n_tracks: int = 1
    start_gap_s: float = 0.0  # silence before the sound, which begins after the picture
    gaps_s: float = 0.0  # silence in the place of missing packets
    ignored_jump_s: float = 0.0  # of time stamps that cannot be true
    is_float: bool = False  # samples that were never coded as integers or lossily: they may lie beyond full scale


def plausible_duration_s(duration_s: float | None) -> float | None:
    """The duration that a header declares; None for a placeholder."""
    return duration_s if duration_s is not None and 0 <= duration_s <= MAX_DECLARED_S else None
