"""The choice of the decoder: libsndfile, and FFmpeg where it fails or ends early."""

from collections.abc import Callable, Generator
from dataclasses import dataclass

import av
import numpy as np
import soundfile

from ser_core.audio.decoding.ffmpeg import ffmpeg_blocks
from ser_core.audio.decoding.libsndfile import soundfile_blocks
from ser_core.audio.decoding.resampling import DecodedAudio, resample_blocks
from ser_core.audio.decoding.signatures import unreadable_message
from ser_core.audio.decoding.stream import AudioError, DecodedStream
from ser_core.audio.repairs.joined import part_bounds
from ser_core.audio.repairs.signal import NO_REPAIR, Repair

Decoder = Callable[[bytes, DecodedStream], Generator[np.ndarray, None, None]]
"""Yields float32 blocks, shape = (n_samples, n_channels), and fills in the stream while it runs: its caller can stop it
at any block, so that hours of compressed audio are never decoded in full."""
DECODER_ERRORS = (soundfile.SoundFileError, av.FFmpegError)


@dataclass(frozen=True)
class _Job:
    """A recording to decode, and how."""

    data: bytes
    sample_rate: int
    max_duration_s: float

    def run(self, decoder: Decoder, source: DecodedStream, repair: Repair = NO_REPAIR) -> DecodedAudio | None:
        """None if the decoder cannot read it."""
        try:
            blocks = decoder(self.data, source)
            return resample_blocks(blocks, source, self.sample_rate, self.max_duration_s, repair)
        except DECODER_ERRORS:
            return None


def decode_joined(data: bytes, sample_rate: int, max_duration_s: float) -> tuple[list[DecodedAudio], tuple[str, ...]]:
    """All recordings of a file, and a note for each that cannot be read."""
    bounds = part_bounds(data)
    if len(bounds) == 1:
        return [_decode(_Job(data[slice(*bounds[0])], sample_rate, max_duration_s))], ()
    decoded: list[DecodedAudio] = []
    notes = []
    for number, (start, end) in enumerate(bounds, 1):
        left_s = max_duration_s - sum(part.decoded_s for part in decoded)
        try:
            decoded.append(_decode(_Job(data[start:end], sample_rate, left_s)))
        except AudioError as error:
            notes.append(f"Part {number} of the {len(bounds)} joined in this file was left out. {error}")
        if decoded and decoded[-1].capped:
            break
    if not decoded:
        raise AudioError(unreadable_message(data))
    return decoded, tuple(notes)


def _decode(job: _Job) -> DecodedAudio:
    """Decode with libsndfile; if it fails or ends early, also with FFmpeg, and keep the longer result."""
    best, decoder = job.run(soundfile_blocks, DecodedStream()), soundfile_blocks
    if best is None or not best.n_read or best.is_truncated:
        declared_s = best.source.header_duration_s if best else None
        other = job.run(ffmpeg_blocks, DecodedStream(header_duration_s=declared_s))
        if other and (best is None or other.n_read > best.n_read):
            best, decoder = _first_audible_track(job, other), ffmpeg_blocks
    if best is None:
        raise AudioError(unreadable_message(job.data))
    repair = best.signal.repair(best.source.rate)
    if repair is None:
        return best
    source = DecodedStream(header_duration_s=best.source.header_duration_s, track=best.source.track)
    return job.run(decoder, source, repair) or best


def _first_audible_track(job: _Job, chosen: DecodedAudio) -> DecodedAudio:
    """The chosen track of a file; if it is silent, the first one that is not."""
    if not chosen.is_silent:
        return chosen
    for track in range(chosen.source.n_tracks):
        other = job.run(ffmpeg_blocks, DecodedStream(track=track)) if track != chosen.source.track else None
        if other and not other.is_silent:
            return other
    return chosen
