"""Files of several recordings joined one after the other, as by chunked recorders and `cat`: where each one begins.

A decoder stops at the end that the first recording declares; decoded one by one, all of them are read.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from typing import Literal

MAX_JOINED = 1000  # bounds the time of a hostile file of empty recordings
MAX_BOXES = 1_000_000  # on the top level of an MP4 file; an hour in fragments has some thousands

FLAC_START = b"fLaC\x00\x00\x00\x22"  # the marker, and the header of the first block, 34 bytes
MATROSKA_START, MATROSKA_KIND = b"\x1a\x45\xdf\xa3", re.compile(rb"\x42\x82.(?:webm|matroska)", re.DOTALL)
MATROSKA_HEAD_BYTES = 64  # between both
AMR_START = re.compile(rb"#!AMR(?:-WB)?\n")
MP3_START = rb"ID3|\xff[\xe2-\xe7\xf2-\xf7\xfa-\xfb]"
MP3_COUNT = re.compile(rb"(?:Xing|Info)\x00\x00\x00[\x00-\x0f]")  # with flags for the fields that follow
MP3_SYNC = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xfb]")  # layer III
MP3_COUNT_OFFSETS = (36, 21, 13, 38, 23, 15)  # from the start of a frame, by version, channels and checksum
MP3_BIT_RATES = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # kbit/s, MPEG 1
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # MPEG 2 and 2.5
)
MAX_SYNCS = 100_000  # tried after the end of a recording; tags there contain few
MP3_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def part_bounds(data: bytes) -> list[tuple[int, int]]:
    """First and end byte of each recording of a file; an ordinary file is one part.

    At most MAX_JOINED: the last one then contains the rest.
    """
    starts = _starts(data)[:MAX_JOINED]
    return list(pairwise([*starts, len(data)]))


def _starts(data: bytes) -> list[int]:
    """The first byte of each recording, ascending."""
    head = data[:12]
    if re.match(MP3_START, head, re.DOTALL):
        return sorted(set(islice(_mp3_starts(data), MAX_JOINED)))
    for signature, find in _FINDERS.items():
        if re.match(signature, head, re.DOTALL):
            return sorted({0, *islice(find(data), MAX_JOINED)})
    return [0]


def _chunk_file_starts(data: bytes) -> Iterator[int]:
    """RIFF (WAV) and IFF (AIFF): the next file begins where the size in the header ends."""
    kind, at = data[:4], 0
    order: Literal["little", "big"] = "little" if kind == b"RIFF" else "big"
    while data[at : at + 4] == kind:
        yield at
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], order)
        at = end if data[end : end + 4] == kind else end + 1  # a pad byte


def _flac_starts(data: bytes) -> Iterator[int]:
    return (match.start() for match in re.finditer(re.escape(FLAC_START), data))


def _ogg_starts(data: bytes) -> Iterator[int]:
    """Chained streams (RFC 3533, section 4): a first page that follows another page than a first one."""
    at, is_first = 0, True
    while data[at : at + 4] == b"OggS" and len(data) >= at + 27:
        begins = bool(data[at + 5] & 2)
        if begins and not is_first:
            yield at
        is_first = begins
        n_segments = data[at + 26]
        at += 27 + n_segments + sum(data[at + 27 : at + 27 + n_segments])


def _matroska_starts(data: bytes) -> Iterator[int]:
    """An EBML header of WebM or Matroska."""
    for match in MATROSKA_KIND.finditer(data):
        start = data.rfind(MATROSKA_START, max(0, match.start() - MATROSKA_HEAD_BYTES), match.start())
        if start >= 0:
            yield start


def _mp4_starts(data: bytes) -> Iterator[int]:
    """A second `ftyp` box on the top level."""
    at = 0
    for _ in range(MAX_BOXES):
        if len(data) < at + 16:
            return
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        size = int.from_bytes(data[at + 8 : at + 16]) if size == 1 else size
        if kind == b"ftyp":
            yield at
        if size < 8:
            return
        at += size


def _mp3_starts(data: bytes) -> Iterator[int]:
    """A frame with a count of frames; and the frame after the bytes that such a count includes.

    Where that frame needs bits of earlier ones (the reservoir), the count is wrong: the part then begins after it,
    and is read to its end.
    """
    frames = (_mp3_count_frame(data, match.start()) for match in MP3_COUNT.finditer(data))
    counts = list(islice((frame for frame in frames if frame >= 0), MAX_JOINED))
    if not counts:
        yield 0
    for start, end in pairwise([*counts, len(data)]):
        rest = start + (_mp3_counted_bytes(data, start) or end)
        found = _next_mp3_frame(data, rest, end) if rest < end else None
        if found is not None and _needs_reservoir(data, found):
            yield start + _mp3_frame_bytes(data, start)
            continue
        yield 0 if start == counts[0] else _before_id3(data, start)
        if found is not None:
            yield _before_id3(data, found)


def _needs_reservoir(data: bytes, at: int) -> bool:
    """Whether a frame begins with bits that earlier frames hold."""
    side_info = at + (4 if data[at + 1] & 1 else 6)  # after a checksum
    is_mpeg_1 = data[at + 1] >> 3 & 3 == 3
    return bool(data[side_info] or (is_mpeg_1 and data[side_info + 1] & 0x80))


def _mp3_count_frame(data: bytes, mark: int) -> int:
    """The start of the frame that contains the mark of a count, or -1."""
    starts = (mark - offset for offset in MP3_COUNT_OFFSETS if mark >= offset)
    return next((start for start in starts if _mp3_frame_bytes(data, start)), -1)


def _mp3_counted_bytes(data: bytes, start: int) -> int | None:
    """The size of a recording, with the frame of the count, that this frame declares."""
    match = MP3_COUNT.search(data, start, start + 60)
    if match is None or not data[match.end() - 1] & 2:
        return None
    at = match.end() + 4 * (data[match.end() - 1] & 1)
    return int.from_bytes(data[at : at + 4]) or None


def _next_mp3_frame(data: bytes, start: int, end: int) -> int | None:
    """The first frame from `start` on that two further frames follow."""
    for match in islice(MP3_SYNC.finditer(data, start, end), MAX_SYNCS):
        at = match.start()
        for _ in range(3):
            size = _mp3_frame_bytes(data, at)
            at += size
            if not size or at > end:
                break
        else:
            return match.start()
    return None


def _mp3_frame_bytes(data: bytes, at: int) -> int:
    """The size of a frame of MPEG layer III; 0 if there is none."""
    if not MP3_SYNC.match(data, at) or len(data) < at + 4:
        return 0
    version, bit_rate, rate = data[at + 1] >> 3 & 3, data[at + 2] >> 4, data[at + 2] >> 2 & 3
    if bit_rate in (0, 15) or rate == 3:
        return 0
    n_samples = 144 if version == 3 else 72
    kbit_s = MP3_BIT_RATES[version != 3][bit_rate]
    return n_samples * 1000 * kbit_s // MP3_RATES[version][rate] + (data[at + 2] >> 1 & 1)


def _before_id3(data: bytes, start: int) -> int:
    """The start of the ID3 tag that ends at `start`, else `start`."""
    tag = data.rfind(b"ID3", max(0, start - 1_000_000), start)
    return tag if tag >= 0 and tag + id3_bytes(data[tag : tag + 10]) == start else start


def id3_bytes(data: bytes) -> int:
    """The size of the ID3 tag that data begin with, 0 without one."""
    if not data.startswith(b"ID3"):
        return 0
    return 10 + sum(byte << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=False))


_FINDERS: dict[bytes, Callable[[bytes], Iterator[int]]] = {
    rb"RIFF....WAVE|FORM....AIF": _chunk_file_starts,
    rb"fLaC": _flac_starts,
    rb"OggS": _ogg_starts,
    rb"....ftyp": _mp4_starts,
    rb"\x1a\x45\xdf\xa3": _matroska_starts,
    rb"#!AMR": lambda data: (match.start() for match in AMR_START.finditer(data)),
}
