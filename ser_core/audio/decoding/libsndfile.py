"""Decoder of wav, flac, mp3, ogg and opus, block by block, from memory."""

import io
from collections.abc import Generator

import numpy as np
import soundfile

from ser_core.audio.decoding.headers import (
    mp3_has_length_header,
    ogg_is_complete,
    vorbis_duration_s,
    wav_header_ratio,
    wav_unread_ratio,
)
from ser_core.audio.decoding.stream import BLOCK_SAMPLES, DecodedStream, plausible_duration_s


def soundfile_blocks(data: bytes, source: DecodedStream) -> Generator[np.ndarray, None, None]:
    """Decode wav, flac, mp3, ogg and opus with libsndfile.

    Yields:
        float32, shape = (n_samples, n_channels), at `source.rate`.

    Raises:
        soundfile.SoundFileError: libsndfile cannot read the file.
    """
    with soundfile.SoundFile(io.BytesIO(data)) as sound:
        source.codec, source.rate, source.channels = f"{sound.format} {sound.subtype}", sound.samplerate, sound.channels
        source.header_duration_s = plausible_duration_s(sound.frames * wav_header_ratio(data) / sound.samplerate)
        source.is_float = sound.subtype in ("FLOAT", "DOUBLE")
        source.unread_s = sound.frames / sound.samplerate * wav_unread_ratio(data)
        source.truncated = sound.format == "OGG" and not ogg_is_complete(data)
        if sound.subtype == "VORBIS":  # libsndfile counts the samples that are there, not those of lost pages
            source.header_duration_s = vorbis_duration_s(data, sound.samplerate) or source.header_duration_s
        if sound.format == "MP3" and not mp3_has_length_header(data):
            raise soundfile.SoundFileError("libsndfile estimates the length of this MP3 and stops there")
        n_frames = max(1, BLOCK_SAMPLES // sound.channels)
        while True:
            try:
                block = sound.read(n_frames, dtype="float32", always_2d=True)
            except soundfile.SoundFileError:
                source.truncated = True
                return
            if not len(block):
                return
            yield block
