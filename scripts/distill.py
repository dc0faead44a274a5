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
from ser_core.data import PROTOCOLS, SPEAKER_INDEPENDENT

MODEL = "prosonet"
TEACHERS: dict[str, tuple[str, ...]] = {
    "wide": ("learning_rate=0.002", "model.channels=[48,96,192,384]"),
    "plain": (),
    "soft": ("learning_rate=0.002", "mixup_alpha=0.3", "model.dropout=0.5"),
}
"""Name -> overrides of prosonet's recipe and architecture."""
DISTILLATION = 0.9  # 0.5 was no different on the development speakers


def run_name(protocol: str, fold: str | None) -> str:
    """Name of the student's run, and prefix of its teachers' runs."""
    return "-".join(filter(None, (MODEL, protocol, fold)))


def arguments(protocol: str, fold: str | None, teacher: str | None = None) -> list[str]:
    """Arguments of scripts.train for one teacher, or for the student."""
    run = run_name(protocol, fold)
    part = [MODEL, "--protocol", protocol, *(["--fold", fold] if fold else []), "--resume"]
    if teacher:
        changes = TEACHERS[teacher]
        return [*part, "--run", f"{run}-{teacher}", *(["--set", *changes] if changes else [])]
    folders = [str(checkpoint(f"{run}-{name}")) for name in TEACHERS]
    return [*part, "--run", run, "--set", f"distillation={DISTILLATION}", "--teachers", *folders]


def checkpoint(run: str) -> Path:
    """Checkpoint folder of a finished run."""
    return Path("runs") / run / "checkpoint"


def main(given: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("--protocol", choices=PROTOCOLS, default=SPEAKER_INDEPENDENT)
    parser.add_argument("--fold", help="the fold that is tested, so never trained on")
    options = parser.parse_args(given)
    part = options.protocol, options.fold
    for teacher in (*TEACHERS, None):
        run = "-".join(filter(None, (run_name(*part), teacher)))
        if checkpoint(run).is_dir():
            print(f"{run} is already finished.")
        elif code := train.main(arguments(*part, teacher)):
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
