#!/bin/sh
# From the recordings to the headline table: five folds of the flagship, each measured on speakers it has never heard.
#
#     SER_CORPORA=... scripts/speedrun.sh          hours on two cores; interrupted, it goes on where it was
#
# Every run is made anew under runs/. The result files in assets/results and the README are written over: compare them
# with what git knows (git diff --stat assets README.md).
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}

"$python" -m scripts.prepare_corpora
for fold in 0 1 2 3 4; do
    run=prosonet-$fold
    [ -d "runs/$run/checkpoint" ] || "$python" -m scripts.train prosonet --fold "$fold" --run "$run" --resume
    "$python" -m scripts.evaluate "runs/$run/checkpoint" --name prosonet --write
done
"$python" -m scripts.readme_tables
