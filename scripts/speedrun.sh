#!/bin/sh
# From the recordings to the headline table: five folds of prosonet, each evaluated on unseen speakers.
#
#     SER_CORPORA=... scripts/speedrun.sh          an hour on a GPU, days on two cores; interrupted, it goes on
#
# Every run is trained again under runs/. The result files in assets/results and the README are written over: compare them
# with what git knows (git diff --stat assets README.md).
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}

"$python" -m scripts.prepare_corpora
for fold in 0 1 2 3 4; do
    "$python" -m scripts.distill --fold "$fold"
    "$python" -m scripts.evaluate "runs/prosonet-speaker-independent-$fold/checkpoint" --name prosonet --write
done
"$python" -m scripts.results_tables
