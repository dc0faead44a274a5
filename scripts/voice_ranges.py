"""Normal ranges of pitch, level, voice quality, formants, rate and pauses of speakers that the default model never met.

python -m scripts.prepare_corpora       first, once: needs SER_CORPORA
python -m scripts.voice_ranges [--clips 40] [--json FILE]     writes assets/results/voice_ranges.json

At most --clips clips of each speaker are measured, drawn at random: otherwise the two speakers of TESS would outweigh
ninety of CREMA-D. The sex of a speaker is that of the documentation of the corpus; speakers of unknown sex count among
all speakers only. About ten minutes on one core.
"""

import random
import sys
from collections import defaultdict
from collections.abc import Sequence

from scripts.common.bars import tqdm
from scripts.common.errors import explains
from scripts.common.flags import command_parser, positive, writable_path
from ser_core.audio import speech_segments
from ser_core.data import (
    AudioStore,
    CorpusError,
    ProtocolError,
    StoreError,
    Utterance,
    corpora_root,
    is_speech,
    read_corpora,
    training_speakers,
    unseen_speaker_fold,
)
from ser_core.interpret import VOICE_RANGES, VoiceRanges, measure_voice, summarise_voices, write_voice_ranges
from ser_core.models import DEFAULT_MODEL, CheckpointError, read_metrics

SEED = 0
MIN_SPEAKERS = 5  # of a group


def draw_clips(utterances: Sequence[Utterance], most: int) -> list[Utterance]:
    """At most `most` random clips of each speaker."""
    clips = defaultdict(list)
    for utterance in utterances:
        clips[utterance.speaker].append(utterance)
    rng = random.Random(SEED)
    return [u for speaker in sorted(clips) for u in rng.sample(clips[speaker], min(most, len(clips[speaker])))]


def unseen_utterances() -> list[Utterance]:
    """Speech of speakers in neither the training nor the development part of the default model.

    Raises:
        CorpusError: there are no recordings.
        CheckpointError, ProtocolError: it is unknown who the unseen speakers are.
    """
    known = training_speakers(*unseen_speaker_fold(DEFAULT_MODEL, read_metrics(DEFAULT_MODEL)))
    utterances = read_corpora(corpora_root()).utterances
    return [u for u in utterances if is_speech(u.corpus) and u.speaker not in known]


def speakers_by_corpus(utterances: Sequence[Utterance]) -> dict[str, dict[str, int]]:
    """Corpus -> sex -> number of speakers."""
    counts: dict[str, dict[str, int]] = {}
    for corpus, sex, _ in sorted({(u.corpus, u.sex, u.speaker) for u in utterances}):
        counts.setdefault(corpus, {}).setdefault(sex, 0)
        counts[corpus][sex] += 1
    return counts


def measure(utterances: Sequence[Utterance], store: AudioStore) -> list[dict[str, float]]:
    """measure_voice() of each clip.

    Raises:
        StoreError: a clip is not decoded, or its samples are damaged.
    """
    store.check(u.id for u in utterances)  # before the minutes that follow
    waveforms = (store.waveform(u.id) for u in tqdm(utterances, unit="clip", desc="voices"))
    return [measure_voice(waveform, speech_segments(waveform)) for waveform in waveforms]


@explains(CorpusError, StoreError, CheckpointError, ProtocolError)
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("--clips", type=positive, default=40, help="at most, of each speaker")
    parser.add_argument("--json", type=writable_path, default=VOICE_RANGES, help="where the result goes")
    options = parser.parse_args(arguments)
    drawn = draw_clips(unseen_utterances(), options.clips)
    measured = measure(drawn, AudioStore())
    about = (
        f"Speakers in neither the training nor the development part of {DEFAULT_MODEL}; sex as the corpora state it."
    )
    groups = summarise_voices(drawn, measured, MIN_SPEAKERS)
    command = f"python -m scripts.voice_ranges --clips {options.clips}"
    found = VoiceRanges(command, about, speakers_by_corpus(drawn), options.clips, groups)
    write_voice_ranges(found, options.json)
    for group in found.groups:
        print(f"{group.sex:7} {group.emotion:9} {group.n_speakers:3} speakers {group.n_clips:5} clips")
    return 0


if __name__ == "__main__":
    sys.exit(main())
