"""Measures a checkpoint on speakers it has never heard.

python -m scripts.evaluate resonet                 needs SER_CORPORA; compares with checkpoints/resonet/metrics.json
python -m scripts.evaluate resonet --write         writes that file and the model card
"""

import argparse
import json
import sys
from pathlib import Path

from tqdm import tqdm

from ser_core.audio import AudioError
from ser_core.card import model_card
from ser_core.checkpoint import CONFIG, METRICS, CheckpointError, checkpoint_folder, load_model
from ser_core.corpora import CorpusError, Utterance, corpora_root, read_corpora
from ser_core.evaluation import Metrics, evaluate
from ser_core.metrics import percent
from ser_core.protocols import PROTOCOLS, SHARES_SPEAKERS, ProtocolError, split


def print_table(metrics: Metrics) -> None:
    """One line a corpus: clips, speakers, and each measure in percent with its 95 % interval over speakers."""
    print(f"{'':<14}{'clips':>6}{'speakers':>9}   {'UAR':<20}{'macro-F1':<20}{'accuracy':<20}")
    rows = [*metrics.corpora.items(), ("pooled", metrics.pooled), ("six emotions", metrics.common_pooled)]
    for name, s in rows:
        scores = ((s.uar, s.uar_ci), (s.macro_f1, s.macro_f1_ci), (s.accuracy, s.accuracy_ci))
        cells = (percent(value, interval).ljust(20) for value, interval in scores)
        print(f"{name:<14}{s.n_clips:>6}{s.n_speakers:>9}   {''.join(cells)}")
    print(f"six emotions, accuracy averaged over corpora: {100 * metrics.common_accuracy_mean:.1f}")
    print(
        f"ECE {metrics.ece:.3f}, NLL {metrics.nll:.3f}; answered {100 * metrics.coverage:.1f} % of the clips, "
        f"of these {100 * metrics.accuracy_when_answered:.1f} % right"
    )


def unheard(trained_on: dict, protocol: str, fold: str | None) -> list[Utterance]:
    """The test part of a protocol, as far as it is in the corpora folder.

    Raises:
        ProtocolError: the model was made with some of it, or none of it is there.
    """
    wanted = set(split(protocol, fold).test)
    known = split(trained_on["protocol"], trained_on["fold"])
    if heard := wanted & {*known.train, *known.dev}:
        raise ProtocolError(
            f"{len(heard)} of the {len(wanted)} test clips were in the training or development part of this model "
            f"({trained_on['protocol']}, fold {trained_on['fold']}): no figure would be worth anything."
        )
    utterances = [u for u in read_corpora(corpora_root()).utterances if u.id in wanted]
    missing = f"{len(wanted) - len(utterances)} of {len(wanted)} test recordings are not in the corpora folder."
    if not utterances:
        raise ProtocolError(missing)
    if len(utterances) < len(wanted):
        print(missing)
    return utterances


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="name of a checkpoint, or its folder")
    parser.add_argument("--protocol", choices=PROTOCOLS, help="default: the one it was trained under")
    parser.add_argument("--fold", help="default: the one it was not trained on")
    parser.add_argument("--write", action="store_true", help=f"write the checkpoint's {METRICS} and model card")
    options = parser.parse_args(arguments)
    try:
        model = load_model(options.model)
        folder = checkpoint_folder(options.model)
        config = json.loads((folder / CONFIG).read_text())
        trained_on = config["training"]
        if not {"protocol", "fold"} <= trained_on.keys():
            raise ProtocolError(f"{model.name} does not say what it was trained on: it cannot be tested on others.")
        protocol = options.protocol or trained_on["protocol"]
        fold = options.fold or (None if options.protocol else trained_on["fold"])
        utterances = unheard(trained_on, protocol, fold)
        with tqdm(total=len(utterances), unit="clip", desc=f"{protocol} fold {fold}") as bar:
            metrics = evaluate(model, utterances, lambda n_done: bar.update(n_done - bar.n))
    except (AudioError, CheckpointError, CorpusError, ProtocolError) as error:
        print(error, file=sys.stderr)
        return 2
    print_table(metrics)
    if protocol in SHARES_SPEAKERS:
        print(f"This protocol {SHARES_SPEAKERS[protocol]} between training and test.")
    measured = {"protocol": protocol, "fold": fold} | metrics.to_dict()
    if options.write:
        (folder / METRICS).write_text(json.dumps(measured, indent=1) + "\n")
        (folder / "README.md").write_text(model_card(model.name, config, measured, model.n_parameters()))
        return 0
    return _compare(folder / METRICS, measured)


def _compare(path: Path, measured: dict) -> int:
    """Exit code 1 when a figure is not the recorded one."""
    recorded = json.loads(path.read_text()) if path.is_file() else {}
    if (recorded.get("protocol"), recorded.get("fold")) != (measured["protocol"], measured["fold"]):
        print(f"{path.parent.name}/{path.name} holds no figures for this protocol and fold to compare with.")
        return 0
    same = recorded == json.loads(json.dumps(measured))
    print(f"{'equal to' if same else 'DIFFERENT FROM'} {path.parent.name}/{path.name}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
