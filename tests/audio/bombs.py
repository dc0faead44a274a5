"""Small files that ask their decoder for gigabytes or minutes, each for one child process only."""

import struct
import zlib

from tests.make_audio import tone, with_ffmpeg, with_soundfile


def _box(name: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + name + content


def _boxes(data: bytes, *path: bytes) -> bytes:
    """Content of the box at a path."""
    at = 0
    while data[at + 4 : at + 8] != path[0]:
        at += int.from_bytes(data[at : at + 4], "big")
    content = data[at + 8 : at + int.from_bytes(data[at : at + 4], "big")]
    return _boxes(content, *path[1:]) if path[1:] else content


def mp4_index(n_samples: int = 80_000_000, n_tracks: int = 1) -> bytes:
    """An MP4 whose sample tables claim n_samples a track in no data: about 35 bytes of index for each."""
    plain = with_ffmpeg(tone(0.2, 16_000), 16_000, "ipod", "aac")
    track = _boxes(plain, b"moov", b"trak")
    media, table = _boxes(track, b"mdia"), _boxes(track, b"mdia", b"minf", b"stbl")
    claims = _box(
        b"stbl",
        _box(b"stsd", _boxes(table, b"stsd")),
        _box(b"stts", struct.pack(">IIII", 0, 1, n_samples, 1024)),
        _box(b"stsc", struct.pack(">IIIII", 0, 1, 1, n_samples, 1)),
        _box(b"stsz", struct.pack(">III", 0, 1, n_samples)),
        _box(b"stco", struct.pack(">III", 0, 1, 100)),
    )
    minf = _box(b"minf", _box(b"smhd", bytes(8)), claims)
    mdia = _box(b"mdia", *(_box(name, _boxes(media, name)) for name in (b"mdhd", b"hdlr")), minf)
    trak = _box(b"trak", _box(b"tkhd", _boxes(track, b"tkhd")), mdia)
    movie = _box(b"moov", _box(b"mvhd", _boxes(plain, b"moov", b"mvhd")), trak * n_tracks)
    return _box(b"ftyp", b"M4A \0\0\2\0M4A isom") + _box(b"mdat", bytes(1000)) + movie


def mov_compressed_header(n_bytes: int = 1_500_000_000) -> bytes:
    """A QuickTime file whose movie header is compressed zeros."""
    packed = _zlib_zeros(n_bytes)
    moov = _box(b"cmov", _box(b"dcom", b"zlib"), _box(b"cmvd", struct.pack(">I", n_bytes), packed))
    return _box(b"ftyp", b"qt  \0\0\0\0qt  ") + _box(b"moov", moov)


def mp3_compressed_tags(n_tags: int = 1, n_bytes: int = 200_000_000) -> bytes:
    """An MP3 with ID3v2.4 frames of compressed zeros."""
    packed = _zlib_zeros(n_bytes)
    frame = b"TXXX" + _syncsafe(4 + len(packed)) + b"\0\x09" + _syncsafe(n_bytes) + packed
    tag = b"ID3\4\0\0" + _syncsafe(n_tags * len(frame)) + n_tags * frame
    return tag + with_soundfile(tone(1.0, 16_000), 16_000, "MP3", "MPEG_LAYER_III")


def _zlib_zeros(n_bytes: int, piece: int = 10_000_000) -> bytes:
    """Zeros as compressed by zlib, from one compressed piece that is repeated."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    repeated = packer.compress(bytes(piece)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = struct.pack(">HH", n_bytes % 65_521, 1)
    return b"\x78\xda" + n_bytes // piece * repeated + packer.flush() + checksum


def _syncsafe(value: int) -> bytes:
    return bytes(value >> shift & 0x7F for shift in (21, 14, 7, 0))


def flac_constant(n_frames: int = 6_000, channels: int = 8, rate: int = 655_350) -> bytes:
    """FLAC of constant frames of 65,535 samples: 36 bytes each, ten minutes in 214 kB, at the highest rate."""
    n_samples = n_frames * 65_535
    info = struct.pack(">HH", 65_535, 65_535) + bytes(6)
    info += (rate << 44 | (channels - 1) << 41 | 15 << 36 | n_samples).to_bytes(8, "big") + bytes(16)
    frames = (_flac_frame(number, channels) for number in range(n_frames))
    return b"fLaC" + b"\x80\0\0\x22" + info + b"".join(frames)


def _flac_frame(number: int, channels: int) -> bytes:
    header = b"\xff\xf8" + bytes([0x70, (channels - 1) << 4 | 8]) + chr(number).encode() + struct.pack(">H", 65_534)
    frame = header + bytes([_crc(header, 8, 0x07)]) + channels * b"\0\0\0"
    return frame + struct.pack(">H", _crc(frame, 16, 0x8005))


def _crc(data: bytes, width: int, polynomial: int) -> int:
    value, top = 0, 1 << width - 1
    for byte in data:
        value ^= byte << width - 8
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value & top else 0)) & (1 << width) - 1
    return value


BOMBS = {
    "mp4, index of 80 million samples": mp4_index,
    "mp4, eight such tracks": lambda: mp4_index(n_tracks=8),
    "mov, compressed header of 1.5 GB": mov_compressed_header,
    "mp3, compressed tag of 200 MB": mp3_compressed_tags,
    "mp3, twelve such tags": lambda: mp3_compressed_tags(12),
    "flac, ten minutes of silence in eight channels": flac_constant,
}
"""Name -> content of a file."""
