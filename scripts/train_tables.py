"""Trains every model of the published tables under its protocol and recipe, including the opensmile classifiers.

python -m scripts.train_tables                 all rows; an interrupted run is resumed
python -m scripts.train_tables resonet vgg16   only these
python -m scripts.train_tables --list          all rows, and which are done

A row that cannot be trained (a corpus or opensmile is missing) is reported and skipped; the exit code is then 2.
Needs `python -m scripts.prepare_corpora` once. Each row is a run under runs/, made by `python -m scripts.train`.
"""

import shlex
import sys
from dataclasses import dataclass

from scripts import train
from scripts.common.flags import command_parser
from ser_core import paths
from ser_core.models import CONFIG_FILE
from ser_core.training import TrainingError, checkpoint_recipe, recipe_for_model


@dataclass(frozen=True)
class Row:
    """One training: a model under a protocol."""

    model: str
    protocol: str
    fold: str | None = None

    @property
    def run(self) -> str:
        """Its folder under runs/."""
        return "-".join(filter(None, (self.model, self.protocol, self.fold)))

    @property
    def is_done(self) -> bool:
        """Whether there is a checkpoint, and for a network one of the current recipe."""
        config = paths.RUNS / self.run / "checkpoint" / CONFIG_FILE
        if not config.is_file() or self.model in CLASSICAL:
            return config.is_file()
        try:
            return checkpoint_recipe(config.parent) == recipe_for_model(self.model)
        except TrainingError:  # of an earlier version, or damaged
            return False

    def arguments(self) -> list[str]:
        """Arguments of scripts.train."""
        fold = ["--fold", self.fold] if self.fold else []
        return [self.model, "--protocol", self.protocol, *fold, "--run", self.run, "--resume"]


NEURAL = ("resonet", "resonet-no-attention", "resonet-no-gru", "resonet-no-residual", "cnn-lstm", "simple-cnn")
CLASSICAL = ("svm-egemaps", "random-forest", "decision-tree")
ROWS = (
    Row("resonet", "speaker-independent", "0"),
    *(Row(model, "resonet") for model in NEURAL),
    *(Row(model, "resonet") for model in CLASSICAL),
    Row("resonet", "resonet-redrawn"),  # the leak, to be measured on the test clips of `resonet`
    *(Row(model, "ravdess-random") for model in ("vgg16", "vgg19", "resnet101")),
    *(Row(model, "speaker-independent", "0") for model in CLASSICAL),
)


def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    names = list(dict.fromkeys(row.model for row in ROWS))
    parser.add_argument("models", nargs="*", metavar="model", help=", ".join(names))
    parser.add_argument("--list", action="store_true", help="only list the rows")
    options = parser.parse_args(arguments)
    if unknown := set(options.models) - set(names):
        print(f"No row trains {', '.join(sorted(unknown))}. There are: {', '.join(names)}.", file=sys.stderr)
        return 2
    failed = 0
    for row in ROWS:
        if options.models and row.model not in options.models:
            continue
        print(
            f"{'done' if row.is_done else 'to do'}: python -m scripts.train {shlex.join(row.arguments())}", flush=True
        )
        if options.list or row.is_done:
            continue
        if (code := train.main(row.arguments())) == train.INTERRUPTED:
            return code
        failed = failed or code  # the others may have all they need: opensmile, a corpus
    return failed


if __name__ == "__main__":
    sys.exit(main())
