"""Measures pitch, energy, spectrum and duration of every recording, and how they differ between the emotions.

python -m scripts.prepare_corpora           first, once: needs SER_CORPORA
python -m scripts.corpus_statistics [--json FILE]     writes assets/results/corpora.json; a few minutes on one core
"""

import sys

from scripts.common.bars import tqdm
from scripts.common.errors import explains
from scripts.common.flags import command_parser, writable_path
from scripts.common.tables import print_table
from ser_core import paths
from ser_core.data import (
    CORPUS_NAMES,
    AudioStore,
    CorpusError,
    StoreError,
    corpora_root,
    measure_recording,
    read_corpora,
    summarise_corpora,
)

RESULT = paths.RESULTS / "corpora.json"


def print_medians(summary: dict) -> None:
    """The median of each measure, per corpus and emotion."""
    rows: dict[tuple[str, str], dict[str, float]] = {}
    for group in summary["groups"]:
        if group["sex"] == "all":
            rows.setdefault((group["corpus"], group["emotion"]), {})[group["measure"]] = group["median"]
    measures = summary["measures"]
    cells = (
        [corpus, emotion, f"{summary['clips'][corpus][emotion]}", *(f"{values[name]:.5g}" for name in measures)]
        for (corpus, emotion), values in rows.items()
    )
    print_table(["corpus", "emotion", "clips", *measures], cells, "Medians", n_left=2)


def measure_all() -> dict:
    """Content of the result file.

    Raises:
        CorpusError, FileNotFoundError, StoreError: a recording is missing, is not decoded, or its samples are damaged.
    """
    utterances, store = read_corpora(corpora_root()).utterances, AudioStore()
    if missing := sum(u.id not in store for u in utterances):
        raise FileNotFoundError(
            f"Recordings that are not in the cache: {missing}. Run: python -m scripts.prepare_corpora"
        )
    if absent := [name for corpus, name in CORPUS_NAMES.items() if corpus not in {u.corpus for u in utterances}]:
        print(f"Not there, so not in the result: {', '.join(absent)}.")
    described = [measure_recording(store.waveform(u.id)) for u in tqdm(utterances, unit="clip", desc="explore")]
    return {"command": "python -m scripts.corpus_statistics"} | summarise_corpora(utterances, described)


@explains(CorpusError, StoreError)
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("--json", type=writable_path, default=RESULT, help="where the result goes")
    options = parser.parse_args(arguments)
    summary = measure_all()
    paths.write_json(options.json, summary, allow_nan=False)
    print_medians(summary)
    return 0


if __name__ == "__main__":
    sys.exit(main())
