"""Exports the embeddings of all recordings and maps of them to assets/embeddings, for the embedding map.

python -m scripts.export_embeddings prosonet resonet raw-features     after scripts.prepare_corpora
python -m scripts.export_embeddings prosonet --no-maps                embeddings only; the page makes maps on demand
python -m scripts.export_embeddings prosonet --folder my-recordings   with recordings of your own, decoded before
python -m scripts.export_embeddings runs/a/epochs/1 runs/a/epochs/8   of a run with --keep-epochs: before and after

`raw-features` is the space before any learning: mean and standard deviation of each log-mel band. An interrupted export
continues where it stopped. A file with recordings of the corpora that are not decoded here is not replaced.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.common.bars import tqdm
from scripts.common.errors import explains
from scripts.common.flags import add_folder_flags, command_parser
from scripts.common.folders import check_decoded, read_folders
from scripts.common.tables import share_bars
from ser_core import paths
from ser_core.data import CORPUS_NAMES, AudioStore, ProtocolError, Utterance
from ser_core.interpret import (
    RAW_FEATURES,
    Atlas,
    AtlasError,
    ProjectionConfig,
    add_maps,
    export_atlas,
    load_atlas,
)
from ser_core.models import CheckpointError

MAPS = tuple(ProjectionConfig(kind, n_dims) for kind in ("umap", "tsne", "pca") for n_dims in (2, 3))
"""The maps that ship."""


def export(name: str, own: Sequence[Utterance] = ()) -> Atlas:
    """The atlas of one model, with a progress bar; prints the time that the embeddings took."""
    bar: tqdm | None = None

    def show(n_done: int, n_clips: int) -> None:
        nonlocal bar
        if bar is None:  # clips of an interrupted export took no time in this one
            bar = tqdm(desc=name, total=n_clips, initial=n_done, unit="clip")
        bar.update(n_done - bar.n)
        if n_done == n_clips:
            bar.close()
            if n_new := n_done - bar.initial:
                print(f"{name}: {1000 * bar.format_dict['elapsed'] / n_new:.1f} s per 1,000 clips")

    return export_atlas(name, AudioStore(), show, [utterance.id for utterance in own])


def check_loses_no_corpora(atlas: Atlas, path: Path) -> None:
    """Checks that the file which the atlas replaces has no recording of the corpora that the atlas lacks.

    Raises:
        ValueError: it has some: they are not decoded here.
    """
    try:
        before = load_atlas(atlas.model)
    except AtlasError:  # none, or a damaged one
        return
    lost = {i for i in before.ids.tolist() if i.partition("/")[0] in CORPUS_NAMES} - {*atlas.ids.tolist()}
    if lost:
        raise ValueError(
            f"{path} has {len(lost)} recordings of the corpora that are not decoded here, and would lose them. Set "
            "SER_CORPORA to the folder with them and run python -m scripts.prepare_corpora (with --folder again, if "
            "given), or move the file away for embeddings without them."
        )


def with_maps(atlas: Atlas) -> Atlas:
    """The atlas with the maps that ship; one progress bar per map.

    Raises:
        ValueError: too few clips for one of them.
    """
    if (n_clips := len(atlas.ids)) < (n_needed := max(config.min_points for config in MAPS)):
        raise ValueError(
            f"{atlas.model}: {n_clips} clips are too few for the maps: at least {n_needed} are needed. Add recordings, "
            "or export the embeddings alone with --no-maps."
        )
    with share_bars() as show:
        return add_maps(atlas, MAPS, lambda config, share: show(f"{config.kind} {config.n_dims}-D", share))


@explains(CheckpointError, ProtocolError, ValueError)
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("names", nargs="+", help=f"of checkpoints, their folders, or {RAW_FEATURES}")
    parser.add_argument("--no-maps", action="store_true", help="the embeddings only")
    add_folder_flags(parser)
    options = parser.parse_args(arguments)
    if own := read_folders(options):
        check_decoded(own, AudioStore())
    for name in options.names:
        atlas = export(name, own)
        path = paths.EMBEDDINGS / f"{atlas.model}.npz"
        check_loses_no_corpora(atlas, path)
        (atlas if options.no_maps else with_maps(atlas)).save(path)
        print(f"{path.parent.name}/{path.name}: {len(atlas.ids)} clips, {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
