"""Trains prosonet under a protocol by distillation: three teachers first, then the student.

python -m scripts.distill --fold 0                                  speaker-independent; an interrupted run is resumed
python -m scripts.distill --protocol leave-one-corpus-out --fold tess
python -m scripts.distill --protocol resonet

The teachers differ from the student in width, learning rate or regularisation; all four are trained on the same clips.
Each is a run of scripts.train below runs/; finished runs are skipped.
"""

import sys
from pathlib import Path

from scripts import train
from scripts.common.flags import command_parser
from ser_core import paths
from ser_core.data import PROTOCOLS, SPEAKER_INDEPENDENT

MODEL = "prosonet"
TEACHERS: dict[str, tuple[str, ...]] = {
    "wide": ("learning_rate=0.002", "model.channels=[48,96,192,384]"),
    "plain": (),
    "soft": ("learning_rate=0.002", "mixup_alpha=0.3", "model.dropout=0.5"),
}
"""Name -> overrides of prosonet's recipe and architecture."""
DISTILLATION = 0.9  # 0.5 was no different on the development speakers


def run_name(protocol: str, fold: str | None, teacher: str | None = None) -> str:
    """Name of the run of the student, or of one teacher."""
    return "-".join(filter(None, (MODEL, protocol, fold, teacher)))


def arguments(protocol: str, fold: str | None, teacher: str | None = None) -> list[str]:
    """Arguments of scripts.train for one teacher, or for the student."""
    part = [MODEL, "--protocol", protocol, *(["--fold", fold] if fold else []), "--resume"]
    run = [*part, "--run", run_name(protocol, fold, teacher)]
    if teacher:
        changes = TEACHERS[teacher]
        return [*run, *(["--set", *changes] if changes else [])]
    folders = [str(checkpoint(run_name(protocol, fold, name))) for name in TEACHERS]
    return [*run, "--set", f"distillation={DISTILLATION}", "--teachers", *folders]


def checkpoint(run: str) -> Path:
    """Checkpoint folder of a finished run."""
    return paths.RUNS / run / "checkpoint"


def main(given: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("--protocol", choices=PROTOCOLS, default=SPEAKER_INDEPENDENT)
    parser.add_argument("--fold", help="the fold that is tested, so never trained on")
    options = parser.parse_args(given)
    for teacher in (*TEACHERS, None):
        part = options.protocol, options.fold, teacher
        if checkpoint(run_name(*part)).is_dir():
            print(f"{run_name(*part)} is already finished.")
        elif code := train.main(arguments(*part)):
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
