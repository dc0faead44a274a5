"""Writes the figures of the README from the result files, between its <!-- name --> marks.

python -m scripts.readme_tables            writes README.md; with --check, exit code 1 when it is not up to date
"""

import json
import re
import sys
from pathlib import Path

from ser_core.card import score_table
from ser_core.checkpoint import FOLDER, METRICS

README = Path(__file__).parent.parent / "README.md"
BENCHMARK = Path(__file__).parent.parent / "assets" / "results" / "benchmark.json"


def scores() -> str:
    """One table for each checkpoint that has figures."""
    blocks = []
    for path in sorted(FOLDER.glob(f"*/{METRICS}")):
        metrics = json.loads(path.read_text())
        title = f"`{path.parent.name}`, protocol `{metrics['protocol']}`, fold {metrics['fold']}:"
        common = (
            f"Six common emotions: {100 * metrics['common_pooled']['accuracy']:.1f} % accuracy pooled over the speech "
            f"corpora, {100 * metrics['common_accuracy_mean']:.1f} % averaged over them."
        )
        blocks.append(f"{title}\n\n{score_table(metrics)}\n\n{common}")
    return "\n\n".join(blocks)


def benchmark() -> str:
    """One row for each figure."""
    figures = json.loads(BENCHMARK.read_text())
    return "| measured | |\n|---|---|\n" + "\n".join(f"| {name} | {value:.2f} |" for name, value in figures.items())


def filled(text: str) -> str:
    """The README with each block replaced by what the result files say now."""
    for name, block in (("scores", scores()), ("benchmark", benchmark())):
        marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
        text = marks.sub(lambda m, b=block: f"{m[1]}{b}\n{m[2]}", text)
    return text


def main() -> int:
    text = README.read_text()
    if "--check" in sys.argv:
        return int(text != filled(text))
    README.write_text(filled(text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
