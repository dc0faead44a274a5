"""The likely type of a file that no decoder reads."""

FILE_SIGNATURES = (  # (offset, bytes, name, may contain audio)
    (8, b"WAVE", "a WAV file", True),
    (0, b"fLaC", "a FLAC file", True),
    (0, b"OggS", "an Ogg file", True),
    (0, b"ID3", "an MP3 file", True),
    (0, b"\xff\xfb", "an MP3 file", True),
    (4, b"ftyp", "an MP4 or M4A file", True),
    (0, b"\x1a\x45\xdf\xa3", "a WebM file", True),
    (0, b"\xff\xd8\xff", "a JPEG image", False),
    (0, b"\x89PNG", "a PNG image", False),
    (0, b"%PDF", "a PDF document", False),
    (0, b"PK\x03\x04", "a ZIP archive", False),
)


def unreadable_message(data: bytes) -> str:
    """Error message for a file that no decoder reads: the likely type of its content, and the cure."""
    for offset, signature, kind, may_contain_audio in FILE_SIGNATURES:
        if data[offset:].startswith(signature):
            if may_contain_audio:
                return f"This is {kind}, but it is damaged or cut off and cannot be read. Record or export it again."
            return f"This is {kind}, not audio. Choose an audio file."
    kind = "text" if _is_text(data[:1000]) else "no known audio format"
    return f"This file contains {kind}. Choose a recording as wav, flac, mp3, ogg, opus, m4a, aac, webm or mp4."


def _is_text(data: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\n\r\f" for byte in data)
