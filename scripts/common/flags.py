"""The flags of the commands of `scripts.ser`, apart from their work: --help needs no torch."""

import argparse
import ast
import json
import math
import os
import re
from pathlib import Path

from scripts.common.errors import is_writable
from ser_core.data import PROTOCOLS, SPEAKER_INDEPENDENT
from ser_core.inference import ArchivePart, n_cores
from ser_core.labels import EMOTIONS, EVERYDAY, parse_possible_emotions
from ser_core.training import MODEL_PREFIX

FOLDER = Path(__file__).parent.parent  # of the commands
OTHER_TABLES = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".xls", ".xlsx", ".ods")
SET_HELP = f"a setting of the recipe (augment.warp=0.2) or, with the prefix {MODEL_PREFIX!r}, of the architecture"


def predict_parser() -> argparse.ArgumentParser:
    parser = _described("predict")
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--model", action="append", help="name or folder; may be given more than once")
    parser.add_argument("--windows", action="store_true", help="also a prediction for each window, of 2 s at most")
    parser.add_argument("--format", choices=("json", "csv", "text"), default="json")
    parser.add_argument(
        "--reference",
        nargs="+",
        default=[],
        metavar="FILE",
        help="3 to 30 clips of the speaker of all files, a saved reference (.json), recording (each file its own), or "
        "together (all files: recordings of one kind in several moods, of any speaker)",
    )
    _add_reference_emotion(parser, "the clips of --reference")
    add_emotions_flag(parser)
    parser.add_argument(
        "--save-reference", type=Path, metavar="FILE", help="write the reference of these clips (.json)"
    )
    return parser


def _add_reference_emotion(parser: argparse.ArgumentParser, clips: str) -> None:
    parser.add_argument(
        "--reference-emotion",
        choices=(*EMOTIONS, EVERYDAY),
        help=f"of {clips}, if known and the same: neutral for sentences in an ordinary voice, everyday for natural "
        "speech, which is mostly neutral",
    )


def add_emotions_flag(parser: argparse.ArgumentParser, condition: str = "") -> None:
    parser.add_argument(
        "--emotions",
        type=possible_emotions,
        default=EMOTIONS,
        metavar="EMOTION,EMOTION...",
        help=f"{condition}those that can occur, such as neutral,happy,sad,angry; models choose among them. Default: "
        "all eight",
    )


def archive_parser() -> argparse.ArgumentParser:
    parser = _described("predict_archive")
    parser.add_argument(
        "folder",
        type=folder_name,
        metavar="FOLDER",
        help="or an address: s3://bucket/folder, gs://..., abfs://...",
    )
    parser.add_argument("--model", help="name or folder; default: the fast one")
    parser.add_argument("--out", type=table_path, default=Path("results.parquet"), metavar="TABLE")
    parser.add_argument("--workers", type=positive, default=n_cores(), help="processes; default: one per core")
    parser.add_argument(
        "--speakers",
        metavar="folders|CSV|together",
        help="the files of a speaker are their reference: a folder each (those named after the eight emotions do not "
        "count), or a table with the columns file, speaker; together: all files, or all of a part: recordings of one "
        "kind in several moods, of any speaker",
    )
    _add_reference_emotion(parser, "the files of --speakers")
    add_emotions_flag(parser)
    parser.add_argument(
        "--part", type=parse_part, metavar="K/N", help="only the K-th of N parts; --out gets the number as well"
    )
    parser.add_argument("--scheduler", help='tcp://host:port of a Dask scheduler, or "local"')
    return parser


def evaluate_parser() -> argparse.ArgumentParser:
    parser = _described("evaluate")
    parser.add_argument("models", nargs="+", help="names of checkpoints or their folders, or: all")
    parser.add_argument("--protocol", choices=PROTOCOLS, help="default: the protocol of the training")
    parser.add_argument("--fold", help="default: the test fold of the training")
    parser.add_argument("--write", action="store_true", help="record the result instead of comparing with it")
    parser.add_argument("--name", nargs="+", help="names of the result files; default: those of the checkpoints")
    parser.add_argument("--leak", action="store_true", help="allow test clips from the training part")
    add_folder_flags(parser)
    references = parser.add_mutually_exclusive_group()
    references.add_argument(
        "--together",
        action="store_true",
        help="with --folder: recordings of one corpus are the reference of each other",
    )
    references.add_argument(
        "--by-speaker",
        action="store_true",
        help="with --folder: recordings of one speaker are the reference of each other",
    )
    parser.add_argument(
        "--predictions",
        type=writable_path,
        metavar="FILE",
        help="with --folder: write the prediction of each recording (.csv)",
    )
    add_emotions_flag(parser, "with --folder, of which other recordings are left out: ")
    return parser


def train_parser() -> argparse.ArgumentParser:
    parser = _described("train")
    parser.add_argument("model", type=model_name, help="an unknown one lists those that exist")
    parser.add_argument("--protocol", choices=PROTOCOLS, default=SPEAKER_INDEPENDENT)
    parser.add_argument("--fold", help="the test fold, excluded from training")
    parser.add_argument("--start", help="start weights: a folder, a file, or a name on the Hugging Face hub")
    parser.add_argument("--teachers", nargs="+", default=[], metavar="FOLDER", help="checkpoints to distil from")
    _add_recipe_flags(parser)
    parser.add_argument("--log", metavar="WHY", help="add a line about this run to the log of experiments")
    parser.add_argument("--partial", action="store_true", help="train although recordings of the protocol are missing")
    parser.add_argument("--device", default="auto", help="default: cuda where there is one, else cpu")
    parser.add_argument(
        "--keep-epochs", type=positive, nargs="+", default=[], metavar="N", help="epochs after which to save the model"
    )
    parser.add_argument("--run", help="name of the folder below runs/")
    parser.add_argument("--resume", action="store_true", help="continue an interrupted run")
    add_folder_flags(parser)
    return parser


def add_folder_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folder",
        type=lambda text: Path(folder_name(text)),
        action="append",
        default=[],
        metavar="PATH",
        help="recordings of your own: a table (CSV: path, speaker, emotion[, corpus]), or folders named after emotions",
    )
    parser.add_argument(
        "--map",
        type=parse_mapping,
        nargs="+",
        action="extend",
        default=[],
        metavar="WORD=EMOTION",
        help=f"words for emotions in --folder; an emotion is one of {', '.join(EMOTIONS)}",
    )


def parse_mapping(text: str) -> tuple[str, str]:
    """ "joy=happy" as word and emotion.

    Raises:
        argparse.ArgumentTypeError: no equals sign, or an emotion that does not exist.
    """
    word, _, emotion = text.partition("=")
    emotion = emotion.strip().casefold()
    if not word or emotion not in EMOTIONS:
        raise argparse.ArgumentTypeError(f"{text!r} is not WORD=EMOTION with one of {', '.join(EMOTIONS)}")
    return word, emotion


def _add_recipe_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipe", type=Path, help="folder of a checkpoint whose recipe is used")
    parser.add_argument("--epochs", type=positive, help="default: those of the recipe")
    parser.add_argument("--seed", type=int, help="default: that of the recipe")
    parser.add_argument("--float32", action="store_true", help="no bf16 autocast")
    parser.add_argument("--mfcc", action="store_true", help="13 MFCCs with two deltas in place of the log-mel bands")
    parser.add_argument(
        "--set", type=parse_override, nargs="+", action="extend", default=[], metavar="NAME=VALUE", help=SET_HELP
    )


def export_parser() -> argparse.ArgumentParser:
    parser = _described("export")
    parser.add_argument("name", help="a model's name or folder")
    parser.add_argument("--format", choices=("hub", "onnx"), required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    return parser


def serve_parser() -> argparse.ArgumentParser:
    parser = _described("serve")
    parser.add_argument("--port", type=port_number, default=8501)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--headless", action="store_true", help="open no browser")
    parser.add_argument("--rate", type=request_rate, help="requests per second allowed from one address")
    return parser


def _described(script: str) -> argparse.ArgumentParser:
    """A parser described by a script's docstring, which is read and not imported."""
    return command_parser(ast.get_docstring(ast.parse((FOLDER / f"{script}.py").read_text())))


def command_parser(docstring: str | None) -> argparse.ArgumentParser:
    """A parser whose --help shows a script's docstring as it is."""
    return argparse.ArgumentParser(description=docstring, formatter_class=argparse.RawDescriptionHelpFormatter)


def model_name(text: str) -> str:
    """The name of a model that can be trained.

    Raises:
        argparse.ArgumentTypeError: there is none; the message lists those that exist.
    """
    from ser_core.models import MODELS  # here, because it loads torch

    if text not in MODELS:
        raise argparse.ArgumentTypeError(f"unknown model {text!r} (choose from {', '.join(MODELS)})")
    return text


def port_number(text: str) -> int:
    """A TCP port.

    Raises:
        argparse.ArgumentTypeError: not from 1 to 65535.
    """
    if not (text.isdecimal() and 1 <= int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: name a whole number from 1 to 65535")
    return int(text)


def request_rate(text: str) -> float:
    """Requests per second.

    Raises:
        argparse.ArgumentTypeError: not a finite number above 0.
    """
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no rate: name a number above 0, such as 20")
    return rate


def folder_name(text: str) -> str:
    """A folder, or an address.

    Raises:
        argparse.ArgumentTypeError: no name, as of a variable of the shell that is not set: it would be this folder.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError("the name is empty: name a folder, or . for this one")
    return text


def table_path(text: str) -> Path:
    """Where a table is written.

    Raises:
        argparse.ArgumentTypeError: this cannot be the name of a file, or is that of another format.
    """
    if not Path(text).name or (os.path.exists(text) and not os.path.isfile(text)):  # a folder, a pipe, /dev/null
        raise argparse.ArgumentTypeError(f"{text!r} names no file: give the name of a table, such as results.parquet")
    if Path(text).suffix.lower() in OTHER_TABLES:
        raise argparse.ArgumentTypeError(f"{text!r}: the table is in Parquet. Name a file such as results.parquet")
    return Path(text)


def writable_path(text: str) -> Path:
    """Where a result is written after minutes of work; missing folders are made.

    Raises:
        argparse.ArgumentTypeError: a folder, a path through a file, or a folder that may not be written.
    """
    path = Path(text)
    if not is_writable(path):
        raise argparse.ArgumentTypeError(
            f"{text!r} cannot be written: name a file, such as result.json, in a folder that you may write to"
        )
    return path


def parse_part(text: str) -> ArchivePart:
    """ "2/4" as the second of four parts.

    Raises:
        argparse.ArgumentTypeError: no such part.
    """
    number, n_parts = map(int, found.groups()) if (found := re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)) else (0, 0)
    if not 1 <= number <= n_parts:
        raise argparse.ArgumentTypeError(f"{text!r} is no part: give its number and how many there are, such as 2/4")
    return ArchivePart(number, n_parts)


def possible_emotions(text: str) -> tuple[str, ...]:
    """ "neutral, happy" as the emotions that can occur.

    Raises:
        argparse.ArgumentTypeError: fewer than two, or one that does not exist.
    """
    try:
        return parse_possible_emotions(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def positive(text: str) -> int:
    """A number, such as that of epochs or workers.

    Raises:
        argparse.ArgumentTypeError: no whole number, zero or less.
    """
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return number


def parse_override(text: str) -> tuple[str, object]:
    """ "augment.warp=0.2" as name and value; the value is JSON.

    Raises:
        argparse.ArgumentTypeError: no equals sign, or no JSON behind it.
    """
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not NAME=VALUE with a value in JSON, such as augment.warp=0.2 or model.tuned_layers=[3,4,5]"
        ) from None
