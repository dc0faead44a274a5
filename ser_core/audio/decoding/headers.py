"""Headers of WAV, MP3 and Ogg files: what libsndfile does not tell of their length."""

from collections.abc import Iterator

from ser_core.audio.decoding.stream import plausible_duration_s
from ser_core.audio.repairs.joined import id3_bytes

MAX_FIRST_PAGE_S = 10.0  # of an Ogg file; pages hold about a second
STREAMED_WAV_SIZE = 0x7FFF_0000  # a writer that cannot seek back writes a size of at least this


def _wav_samples(data: bytes) -> tuple[int, int] | None:
    """First byte and declared size of the samples of a WAV file; None for other formats."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    at = 12
    while at + 8 < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data":
            return at + 8, size
        at += 8 + size + size % 2
    return None


def wav_header_ratio(data: bytes) -> float:
    """Declared by actual size of the samples of a WAV file, which libsndfile does not report; 1 for other formats."""
    start, size = _wav_samples(data) or (0, 0)
    if not start or size >= STREAMED_WAV_SIZE:
        return 1.0
    return max(1.0, size / (len(data) - start))


def wav_unread_ratio(data: bytes) -> float:
    """What follows the samples of a WAV file and is no further chunk, as a share of their size; 0 for other formats."""
    start, size = _wav_samples(data) or (0, 0)
    rest = start + size + size % 2
    if not size or rest >= len(data):
        return 0.0
    is_chunk = all(32 <= byte < 127 for byte in data[rest : rest + 4])
    return 0.0 if is_chunk else (len(data) - rest) / size


def mp3_has_length_header(data: bytes) -> bool:
    """Whether the first frame after the ID3 tag contains the number of frames."""
    start = id3_bytes(data[:10])
    return any(mark in data[start : start + 200] for mark in (b"Xing", b"Info"))


def ogg_is_complete(data: bytes) -> bool:
    """Whether the last Ogg page is complete and has the end-of-stream flag (RFC 3533, section 6)."""
    page = data[data.rfind(b"OggS") :]
    if len(page) < 27 or len(page) < 27 + page[26]:
        return False
    n_segments = page[26]
    return bool(page[5] & 4) and len(page) >= 27 + n_segments + sum(page[27 : 27 + n_segments])


def vorbis_duration_s(data: bytes, rate: int) -> float | None:
    """Time stamp of the last page of an Ogg Vorbis file; None for one that was cut out of a longer stream."""
    last = data.rfind(b"OggS")
    first = next((page for page in _ogg_pages(data) if _page_samples(data, page) > 0), last)
    if _page_samples(data, first) > MAX_FIRST_PAGE_S * rate:
        return None
    return plausible_duration_s(_page_samples(data, last) / rate)


def _ogg_pages(data: bytes) -> Iterator[int]:
    """The first byte of each page."""
    at = data.find(b"OggS")
    while at >= 0:
        yield at
        at = data.find(b"OggS", at + 4)


def _page_samples(data: bytes, page: int) -> int:
    """The position of an Ogg page, in samples."""
    return int.from_bytes(data[page + 6 : page + 14], "little", signed=True)
