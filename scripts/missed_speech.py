"""Counts the clips of the corpora in which no speech is detected, and the sounds of ESC-50 in which some is.

python -m scripts.missed_speech      after scripts.prepare_corpora; a minute, writes assets/results/missed_speech.json
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from scripts.common.bars import tqdm
from scripts.common.errors import check_writable, explains
from scripts.common.flags import command_parser
from scripts.common.noises import load_noise
from ser_core import paths
from ser_core.audio import speech_duration_s, speech_segments
from ser_core.data import (
    AudioStore,
    CorpusError,
    StoreError,
    Utterance,
    corpora_root,
    read_corpora,
    read_noises,
)
from ser_core.inference import MIN_SPEECH_TO_PREDICT_S

RESULT = paths.RESULTS / "missed_speech.json"


def has_speech(waveform: np.ndarray) -> bool:
    """Whether enough speech for a prediction is detected."""
    return speech_duration_s(speech_segments(waveform)) >= MIN_SPEECH_TO_PREDICT_S


def count_missed(clips: Sequence[Utterance], store: AudioStore) -> dict:
    """The number of clips of a corpus, and of those without detected speech by emotion, the most frequent first."""
    shown = tqdm(clips, unit="clip", desc=clips[0].corpus)
    missed = Counter(clip.emotion for clip in shown if not has_speech(store.waveform(clip.id)))
    return {"clips": len(clips), "missed": dict(missed.most_common())}


def count_sounds(part: str) -> dict:
    """The number of sounds in a part of ESC-50, and of those with detected speech by class."""
    noises = read_noises(corpora_root(), part)
    shown = tqdm(noises, unit="sound", desc=f"ESC-50, {part}")
    detected = Counter(noise.name for noise in shown if has_speech(load_noise(noise.path)))
    return {"sounds": len(noises), "detected": dict(detected.most_common())}


@explains(CorpusError, StoreError)
def main(arguments: list[str] | None = None) -> int:
    command_parser(__doc__).parse_args(arguments)
    check_writable(RESULT)
    store, clips = AudioStore(), defaultdict(list)
    for utterance in read_corpora(corpora_root()).utterances:
        clips[utterance.corpus].append(utterance)
    store.check(clip.id for own in clips.values() for clip in own)
    found = {
        "command": "python -m scripts.missed_speech",
        "corpora": {corpus: count_missed(own, store) for corpus, own in sorted(clips.items())},
        "esc50": {part: count_sounds(part) for part in ("train", "test")},
    }
    print(json.dumps(found, indent=1))
    paths.write_json(RESULT, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
