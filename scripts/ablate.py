"""Ablates each ingredient of prosonet's recipe, on a short schedule; the results go to the log of experiments.

python -m scripts.ablate            all ablations that are not done: a quarter of an hour on a GPU, a day on two cores
python -m scripts.ablate --list     all ablations, and which are done

Each is a run of `python -m scripts.train prosonet --fold 0 --epochs 12`, judged on development speakers.
"""

import sys

from scripts import train
from scripts.common.flags import command_parser
from ser_core.training import read_experiments

EPOCHS = 12
NO_CHANNELS = ("babble_chance", "room_chance", "band_chance", "level_out_chance", "gate_chance")
ABLATIONS: dict[str, tuple[str, ...]] = {
    "the full recipe": (),
    "without orthogonal steps": ("orthogonal=false",),
    "without the second window": ("model.frontend.more_windows=[]",),
    "64 bands, one window": ("model.frontend.more_windows=[]", "model.frontend.n_mels=64", "model.bands_in_one=2"),
    "without rooms, phones, babble and processing": tuple(f"augment.{name}=0.0" for name in NO_CHANNELS),
    "without any noise": tuple(f"augment.{name}=0.0" for name in ("noise_chance", *NO_CHANNELS)),
    "without speed and frequency warp": ("augment.speed=0.0", "augment.warp=0.0"),
    "without masks and tilt": ("augment.n_masks=0", "augment.tilt=0.0"),
    "almost without mixup": ("mixup_alpha=0.01",),
    "without label smoothing": ("label_smoothing=0.0",),
    "without the running average": ("ema_decay=0.0",),
    "corpora not rebalanced": ("draws.ravdess=1.0", "draws.savee=1.0", "draws.tess=1.0"),
    "without attention": ("model.attention=false",),
    "without the GRU": ("model.recurrent=false",),
}
"""Purpose in the log of experiments -> overrides."""


def arguments(purpose: str, changes: tuple[str, ...]) -> list[str]:
    """Arguments of scripts.train."""
    run = "ablate-" + "-".join(word.strip(",") for word in purpose.split())
    given = ["--set", *changes] if changes else []
    return ["prosonet", "--fold", "0", "--epochs", str(EPOCHS), "--run", run, "--resume", *given, "--log", purpose]


def done() -> set[str]:
    """Purposes in the log."""
    return {e.purpose for e in read_experiments() if (e.model, e.epochs) == ("prosonet", EPOCHS)}


def main(given: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("--list", action="store_true", help="only list the ablations")
    options = parser.parse_args(given)
    known, failed = done(), 0
    for purpose, changes in ABLATIONS.items():
        what = ", ".join(changes) or "nothing is changed"
        print(f"{'done' if purpose in known else 'to do'}: {purpose} ({what})", flush=True)
        if options.list or purpose in known:
            continue
        if (code := train.main(arguments(purpose, changes))) == train.INTERRUPTED:
            return code
        failed = failed or code
    return failed


if __name__ == "__main__":
    sys.exit(main())
