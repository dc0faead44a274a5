"""Writes the tables of docs/results.md and of the README from the result files, between their <!-- name --> marks.

python -m scripts.results_tables                writes both; with --check, exit code 1 when one of them is out of date
python -m scripts.results_tables --recompute    first computes all metrics again, from the recorded predictions
"""

import sys
from pathlib import Path

from scripts.common.errors import explains
from scripts.common.flags import command_parser
from scripts.common.head_tables import left_out_summary, recorded_tables
from scripts.common.tables import fill_blocks
from scripts.result_blocks.comparisons import (
    compare_all,
    leakage,
    mcnemar,
    speaker_independent,
    table_ravdess,
    table_resonet,
)
from scripts.result_blocks.folds import (
    LISTENERS,
    all_folds,
    cross_corpus,
    default_folds,
    default_mean,
    listeners,
    scores,
)
from scripts.result_blocks.measured import benchmark, experiments, missed_speech, non_speech, robustness
from scripts.result_blocks.over_time import changing_emotions
from scripts.result_blocks.possible import possible_emotions
from ser_core import paths
from ser_core.data import (
    LEAVE_ONE_CORPUS_OUT,
    LEFT_OUT,
    SPEAKER_INDEPENDENT,
    SPEAKER_INDEPENDENT_8,
    CorpusError,
    ProtocolError,
    Utterance,
    corpora_root,
    parse_filename,
    read_listener_votes,
)
from ser_core.evaluation import (
    ComparisonError,
    ResultError,
    list_results,
    load_cross_validation,
    recompute_result,
    score_listeners,
)
from ser_core.labels import EMOTIONS
from ser_core.metrics import round_floats

DOCUMENTS = (paths.ROOT / "README.md", paths.ROOT / "docs" / "results.md")


def render_blocks() -> dict[str, str]:
    """Block name -> its Markdown, from the result files.

    Raises:
        ComparisonError, ProtocolError, ResultError: a result file that is damaged or does not fit the others.
    """
    found = compare_all()
    speakers, corpora = (load_cross_validation(protocol) for protocol in (SPEAKER_INDEPENDENT, LEAVE_ONE_CORPUS_OUT))
    measured = (
        scores,
        benchmark,
        experiments,
        robustness,
        non_speech,
        missed_speech,
        left_out_summary,
        possible_emotions,
        changing_emotions,
    )
    compared = (table_resonet, table_ravdess, leakage, speaker_independent, mcnemar)
    blocks = {block.__name__: block() for block in (*measured, default_folds, default_mean)}
    blocks |= {block.__name__: block(found) for block in compared}
    blocks |= {block.__name__: block(corpora) for block in (cross_corpus, listeners)}
    recorded = {"left_out": recorded_tables(LEFT_OUT), "unseen_speakers": recorded_tables(SPEAKER_INDEPENDENT_8)}
    return blocks | recorded | {"all_folds": all_folds(speakers)}


def recompute() -> None:
    """The metrics of all result files and of the checkpoints, from the recorded predictions; the listeners' scores.

    Raises:
        ResultError: a damaged file.
    """
    try:
        votes = read_listener_votes(corpora_root())
    except CorpusError:
        votes = None
    if votes:
        utterances = [clip for clip in map(parse_filename, map(Path, votes)) if isinstance(clip, Utterance)]
        found = round_floats(score_listeners(votes, utterances, EMOTIONS))
        paths.write_json(LISTENERS, found)
    for path in list_results():
        if recompute_result(path):
            print(f"recomputed: {path.parent.name}/{path.name}")


@explains(ComparisonError, ProtocolError, ResultError)
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when a table is out of date")
    parser.add_argument("--recompute", action="store_true", help="compute the metrics again from the predictions")
    options = parser.parse_args(arguments)
    if missing := [path for path in DOCUMENTS if not path.is_file()]:
        print(f"No {missing[0]}: an installed package has no docs. Run this in a checkout.", file=sys.stderr)
        return 2
    if options.recompute:
        recompute()
    blocks = render_blocks()
    outdated = {path: new for path in DOCUMENTS if (new := fill_blocks(path.read_text(), blocks)) != path.read_text()}
    if options.check:
        return int(bool(outdated))
    for path, text in outdated.items():
        paths.write_text(path, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
