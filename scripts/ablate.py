"""Leaves out each ingredient of the flagship's recipe once, on a short schedule; the log of experiments tells the rest.

python -m scripts.ablate            all that is not done yet: a quarter of an hour on a GPU, a day on two cores
python -m scripts.ablate --list     what there is, and what is done

Each is a run of `python -m scripts.train prosonet --fold 0 --epochs 12`, judged on development speakers.
"""

import argparse
import sys

from scripts import train
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
"""What is said of it -> what is changed."""


def arguments(said: str, changes: tuple[str, ...]) -> list[str]:
    """For scripts.train."""
    run = "ablate-" + "-".join(word.strip(",") for word in said.split())
    given = ["--set", *changes] if changes else []
    return ["prosonet", "--fold", "0", "--epochs", str(EPOCHS), "--run", run, "--resume", *given, "--log", said]


def done() -> set[str]:
    """What the log holds."""
    return {e.purpose for e in read_experiments() if (e.model, e.epochs) == ("prosonet", EPOCHS)}


def main(given: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="only say what there is")
    options = parser.parse_args(given)
    known, failed = done(), 0
    for said, changes in ABLATIONS.items():
        what = ", ".join(changes) or "nothing is changed"
        print(f"{'done' if said in known else 'to do'}: {said} ({what})", flush=True)
        if options.list or said in known:
            continue
        if (code := train.main(arguments(said, changes))) == train.INTERRUPTED:
            return code
        failed = failed or code
    return failed


if __name__ == "__main__":
    sys.exit(main())
