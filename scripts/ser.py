"""The program as one command; `ser COMMAND --help` describes each.

ser predict FILE...             the emotion of sound files
ser archive FOLDER              of all sound files below a folder, in one table
ser evaluate MODEL...           measures models on the test part of a protocol
ser train MODEL                 trains a model under a protocol
ser export MODEL                writes a model for other programs
ser serve                       pages, REST and live microphone on one port

Every other script has its own name: for python -m scripts.prepare_corpora, as messages and documentation call it, type
ser prepare_corpora. In a checkout: python -m scripts.ser COMMAND, or the scripts themselves.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path

SCRIPTS = {
    "predict": "predict",
    "archive": "predict_archive",
    "evaluate": "evaluate",
    "train": "train",
    "export": "export",
    "serve": "serve",
}
"""Command -> the script that does the work."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("ser", None, __doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=SCRIPTS | other_scripts(), metavar="COMMAND")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    sys.path.insert(0, str(Path(__file__).parent.parent))  # where a wheel puts `scripts` and `pages`
    sys.argv[0] = f"ser {options.command}"  # the name in the usage of every parser
    if options.command in SCRIPTS:
        check_arguments(options.command, options.arguments)
    return import_module(f"scripts.{SCRIPTS.get(options.command, options.command)}").main(options.arguments)


def other_scripts() -> dict[str, str]:
    """Names of the scripts that have no shorter one, as commands."""
    names = {path.stem for path in Path(__file__).parent.glob("[!_]*.py")} - {"ser", *SCRIPTS.values()}
    return {name: name for name in sorted(names)}


def check_arguments(command: str, arguments: list[str]) -> None:
    """Prints the help and the errors of flags under the name of the command, before its script loads torch.

    Raises:
        SystemExit: the help or an error was printed.
    """
    parser = getattr(import_module("scripts.common.flags"), f"{command}_parser")()
    parser.prog = f"ser {command}"
    parser.description = parser.description.replace(f"python -m scripts.{SCRIPTS[command]}", parser.prog)
    parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
