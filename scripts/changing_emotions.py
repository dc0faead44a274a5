"""Measures predictions over time where the emotion changes, with windows of several lengths, and live.

python -m scripts.changing_emotions whisper-light            after scripts.prepare_corpora; minutes for each model
python -m scripts.changing_emotions whisper-prosonet --recordings 2

Each recording is joined from twelve clips of a speaker of a corpus that the model was trained without; the emotion
changes with every clip, or with every third. Writes assets/results/changing_emotions.json.
"""

import sys
from collections import defaultdict
from dataclasses import asdict

import numpy as np

from scripts.common.bars import tqdm
from scripts.common.errors import check_writable, explains
from scripts.common.flags import command_parser, positive
from scripts.possible_emotions import MODELS, fold_model
from ser_core import paths
from ser_core.data import (
    LEFT_OUT,
    AudioStore,
    CorpusError,
    StoreError,
    Utterance,
    corpora_root,
    protocol_folds,
    read_corpora,
)
from ser_core.evaluation import JoinedClips, join_clips, score_live, score_segments, score_timeline
from ser_core.inference import predict_windows
from ser_core.metrics import round_floats
from ser_core.models import CheckpointError, SERModel
from ser_core.training import TrainingError, check_complete

RESULT = paths.RESULTS / "changing_emotions.json"
WINDOWS_S = (2.0, 2.5, 4.0)
HOP_S = 0.5
IN_A_ROW = (1, 3)  # clips of one emotion
N_CLIPS = 12  # of a recording
LIVE_SMOOTHINGS_S = (0.0, 0.75, 1.5)


def join_corpus(clips: list[Utterance], n_recordings: int, in_a_row: int) -> list[JoinedClips]:
    """Recordings of different speakers of a corpus, as far as it has them."""
    rng, store, by_speaker = np.random.default_rng(0), AudioStore(), defaultdict(list)
    for clip in clips:
        by_speaker[clip.speaker].append(clip)
    speakers = rng.permutation(sorted(by_speaker)).tolist()
    return [
        join_clips(by_speaker[speakers[i % len(speakers)]], store, rng, N_CLIPS // in_a_row, in_a_row)
        for i in range(n_recordings)
    ]


def measure(model: SERModel, recordings: list[JoinedClips], window_s: float) -> dict[str, dict]:
    """Scores on a timeline, of its segments, and live with each smoothing."""
    found = [predict_windows(model, one.waveform, window_s, HOP_S, one.speech) for one in recordings]
    threshold = model.calibration.threshold(False)
    live = {f"live {s:g}": asdict(score_live(found, recordings, threshold, s)) for s in LIVE_SMOOTHINGS_S}
    return {
        "timeline": asdict(score_timeline(found, recordings, threshold)),
        "segments": asdict(score_segments(found, recordings, threshold)),
        **live,
    }


def measure_corpora(name: str, n_recordings: int) -> dict[str, dict]:
    """Clips in a row -> window -> corpus -> scores, each by a model that was trained without the corpus."""
    clips, found = defaultdict(list), defaultdict(lambda: defaultdict(dict))
    for utterance in read_corpora(corpora_root()).utterances:
        clips[utterance.corpus].append(utterance)
    for corpus in tqdm(protocol_folds(LEFT_OUT), unit="corpus", desc=name):
        model = fold_model(name, LEFT_OUT, corpus)
        for in_a_row in IN_A_ROW:
            recordings = join_corpus(clips[corpus], n_recordings, in_a_row)
            for window_s in WINDOWS_S:
                found[str(in_a_row)][f"{window_s:g}"][corpus] = measure(model, recordings, window_s)
    return found


@explains(CheckpointError, CorpusError, StoreError, TrainingError)
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("models", nargs="+", choices=MODELS, metavar="model", help=", ".join(MODELS))
    parser.add_argument("--recordings", type=positive, default=4, help="of each corpus and number of clips in a row")
    options = parser.parse_args(arguments)
    check_complete(LEFT_OUT, AudioStore())
    check_writable(RESULT)
    for name in options.models:
        command = f"python -m scripts.changing_emotions {name} --recordings {options.recordings}"
        entry = {name: {"command": command, "in_a_row": measure_corpora(name, options.recordings)}}
        paths.write_json(RESULT, paths.read_json(RESULT) | round_floats(entry))
    return 0


if __name__ == "__main__":
    sys.exit(main())
