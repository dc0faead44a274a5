"""Predictions for sound files.

python -m scripts.predict FILE... [--model NAME]... [--windows] [--format json|csv|text]
python -m scripts.predict FILE... --model NAME --reference CLIP... [--save-reference voice.json]     one speaker
python -m scripts.predict FILE... --model NAME --reference CLIP... --reference-emotion neutral    in an ordinary voice
python -m scripts.predict FILE... --model NAME --reference voice.json|recording|together
python -m scripts.predict FILE... --emotions neutral,happy,sad,angry      no other emotion can occur in these files
ffmpeg ... | python -m scripts.predict -        the file comes through a pipe

json is one object a line. A file that cannot be read gives {"file": ..., "error": ...}; the others still run, and the
exit code is 2 at the end. Exit code 0: all were read; 1: nobody reads the output any more; 130: interrupted.
"""

import csv
import json
import sys
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from scripts.common.errors import explains
from scripts.common.flags import predict_parser
from ser_core import paths
from ser_core.audio import AudioError, read_audio, speech_segments
from ser_core.evaluation import describe_expected_accuracy, measured_reference
from ser_core.inference import (
    MIN_SPEECH_TO_PREDICT_S,
    NO_SPEECH,
    OWN_RECORDING,
    TOGETHER,
    Reference,
    ReferenceChoice,
    SpeakerReferenceError,
    check_reference,
    collection_reference,
    guard_formula,
    prediction_record,
    read_drawn_clips,
    speaker_reference,
)
from ser_core.labels import EMOTIONS, describe_choice, format_probability
from ser_core.models import DEFAULT_MODEL, CheckpointError, SERModel, available_models, limit_emotions, load_model

STANDARD_INPUT = {"-": "/dev/stdin"}


def make_references(
    given: list[str], models: list[SERModel], files: list[str], emotion: str | None
) -> list[ReferenceChoice]:
    """For each model: the reference of the clips, the saved one, the word for the recording itself, or None.

    Args:
        given: clips, a saved reference, or a word.
        files: to be predicted, which with the word TOGETHER are the reference.
        emotion: of the clips, where it is known.

    Raises:
        AudioError: a clip cannot be read.
        SpeakerReferenceError: not a reference, a file that cannot be read, clips without speech, or a model that takes
            none.
    """
    if not given:
        return [None] * len(models)
    if given == [OWN_RECORDING]:
        return [OWN_RECORDING] * len(models)
    if len(given) == 1 and given[0].endswith(".json"):
        return [_saved_reference(given[0])] * len(models)
    if given == [TOGETHER]:
        return _together(models, files)
    waveforms = [_read_clip(file) for file in given]
    emotions = [emotion] * len(waveforms) if emotion else ()
    return [speaker_reference(model, waveforms, emotions=emotions) for model in models]


def _saved_reference(file: str) -> Reference:
    try:
        return Reference.from_json(Path(file).read_bytes())
    except OSError as error:
        raise SpeakerReferenceError(
            f"{file} cannot be read: {error.strerror}. Make it with --save-reference."
        ) from None
    except SpeakerReferenceError as error:
        raise SpeakerReferenceError(f"{file}: {error}") from None


def _together(models: list[SERModel], files: list[str]) -> list[ReferenceChoice]:
    waveforms = read_drawn_clips(files, list(map(Path, files)))
    references = [collection_reference(model, waveforms) for model in models]
    if None in references:
        raise SpeakerReferenceError(f"--reference {TOGETHER} needs three files with speech, in several moods.")
    return list(references)


def _read_clip(file: str) -> np.ndarray:
    try:
        return read_audio(Path(STANDARD_INPUT.get(file, file))).waveform
    except AudioError as error:
        raise AudioError(f"{file}: {error}") from None


def records(file: str, models: list[SERModel], windows: bool, references: list[ReferenceChoice]) -> Iterator[dict]:
    """One record for each model, or one with the reason why the file cannot be read."""
    try:
        recording = read_audio(Path(STANDARD_INPUT.get(file, file)))
    except AudioError as error:
        yield {"file": file, "error": str(error)}
        return
    speech = speech_segments(recording.waveform)
    for model, reference in zip(models, references, strict=True):
        yield prediction_record(recording, model, file, windows, speech, reference=reference)


def as_text(record: dict, metrics: dict[str, dict]) -> str:
    """One line for a person, how often the model is right, and one more for each window.

    Args:
        metrics: of each model, by name.
    """
    if "error" in record:
        return f"{record['file']}: {record['error']}"
    speaks = record["speech_s"] >= MIN_SPEECH_TO_PREDICT_S
    ranked = ", ".join(f"{name} {format_probability(p)}" for name, p in record["top3"]) if speaks else NO_SPEECH
    doubt = f"  {'Not sure: ' if speaks else ''}{record['reason']}" if record["abstain"] else ""
    speech = f"{record['speech_s']:.1f} s of speech in {record['duration_s']:.1f} s"
    if record["reference_clips"]:
        speech += f", {record['reference_clips']} reference clips"
    possible = tuple(record["possible_emotions"])
    about = ", ".join(filter(None, (record["model"], speech, describe_choice(possible))))
    lines = [f"{record['file']}: {ranked} ({about}){doubt}", *record["notes"]]
    if record["reference_note"]:
        lines.append(record["reference_note"])
    if speaks:
        name = record["model"]
        used = measured_reference(*(record[f"reference_{part}"] for part in ("clips", "source", "note")))
        lines += filter(None, [describe_expected_accuracy(name, metrics[name], record["familiarity"], used, possible)])
    for window in record.get("windows", ()):
        lines.append(f"  {window['start_s']:8.2f}-{window['end_s']:.2f} s  {window_text(window)}")
    return "\n".join(lines)


COLUMNS = (
    *("file", "error", "model", "version", "start_s", "end_s", "speech_s"),
    *("emotion", "confidence", "abstain", "reason", "novelty", "familiarity"),
    *("arousal", "valence", "reference_clips", "reference_source", "reference_note", "notes"),
)
CLIP_COLUMNS = ("file", "model", "version", "reference_clips", "reference_source", "reference_note")
"""Columns with the same value in each row of a recording."""


def as_rows(record: dict) -> list[dict]:
    """One row for the recording, or for each of its windows with --windows."""
    if "error" in record:
        return [{name: guard_formula(value) for name, value in record.items()}]
    clip_columns = {name: record[name] for name in CLIP_COLUMNS} | {"notes": " ".join(record["notes"])}
    parts = [window_row(window) for window in record.get("windows", ())] or [record]
    columns = (*COLUMNS, *record["possible_emotions"])  # of other emotions the cells are empty
    return [
        {
            name: guard_formula(value)
            for name, value in (part | clip_columns | part["probabilities"]).items()
            if name in columns
        }
        for part in parts
    ]


def window_text(window: dict) -> str:
    """Its emotion with the probability, and a mark where that is not sure; or that there is no speech."""
    if window["answer"] == NO_SPEECH:
        return NO_SPEECH
    doubt = "" if window["answer"] == window["emotion"] else f" ({window['answer']})"
    return f"{window['emotion']} {format_probability(window['probabilities'][window['emotion']])}{doubt}"


def window_row(window: dict) -> dict:
    """A window with the columns of a recording: its confidence, and why it has no label, if so."""
    abstain = window["answer"] != window["emotion"]
    confidence = window["probabilities"][window["emotion"]]
    return window | {"confidence": confidence, "abstain": abstain, "reason": window["answer"] if abstain else ""}


def check_flags(parser: ArgumentParser, options: Namespace) -> None:
    """Ends the program if the flags do not fit together."""
    clips = [file for file in options.reference if file != OWN_RECORDING and not file.endswith(".json")]
    if not options.files and not options.save_reference:
        parser.error("name at least one FILE, before --reference")
    alone = [file for file in options.reference if file in (OWN_RECORDING, TOGETHER) or file.endswith(".json")]
    if alone and len(options.reference) > 1:
        parser.error(f"--reference {alone[0]} stands alone: name no other file or word with it")
    if options.reference_emotion and (alone or not clips):
        parser.error("--reference-emotion needs the clips of --reference")
    if options.save_reference and not clips:
        parser.error("--save-reference needs the clips of --reference")
    if options.save_reference and len(options.model or ()) > 1:
        parser.error("--save-reference needs a single --model: each has its own reference")
    if options.save_reference and options.save_reference.suffix != ".json":  # another is taken for a clip
        parser.error(f"--save-reference {options.save_reference}: name a file that ends with .json, such as voice.json")
    if options.save_reference and not options.save_reference.parent.is_dir():
        parser.error(f"--save-reference: the folder {options.save_reference.parent} does not exist; make it first")


def save_reference(path: Path | None, reference: ReferenceChoice) -> None:
    """Writes the reference as JSON, if asked.

    Raises:
        SpeakerReferenceError: the file cannot be written.
    """
    if path and isinstance(reference, Reference):
        try:
            paths.write_text(path, json.dumps(reference.to_dict()) + "\n")
        except OSError as error:
            raise SpeakerReferenceError(f"{path} cannot be written: {error.strerror}. Name another file.") from None
        print(f"{reference.n_clips} clips in {path}. {reference.note}".rstrip(), file=sys.stderr)


def printer(form: str, models: Sequence[SERModel]) -> Callable[[dict], object]:
    """A function that prints a record as "json", "text" or "csv"."""
    if form == "json":
        return lambda record: print(json.dumps(record, ensure_ascii=False), flush=True)
    if form == "text":
        metrics = {model.name: model.metrics for model in models}
        return lambda record: print(as_text(record, metrics), flush=True)
    table = csv.DictWriter(sys.stdout, COLUMNS + EMOTIONS, lineterminator="\n")
    table.writeheader()

    def show(record: dict) -> None:
        table.writerows(as_rows(record))
        sys.stdout.flush()  # or a full disk shows only when the program ends

    return show


def run(options: Namespace) -> int:
    """Predicts all files; the exit code.

    Raises:
        AudioError, CheckpointError, SpeakerReferenceError: a reference clip, a model or a reference cannot be used.
        OSError: the output cannot be written.
    """
    names = options.model or available_models()[:1] or [DEFAULT_MODEL]
    models = [limit_emotions(load_model(name), options.emotions) for name in names]
    references = make_references(options.reference, models, options.files, options.reference_emotion)
    save_reference(options.save_reference, references[0])
    for model, reference in zip(models, references, strict=True):
        check_reference(model, reference)
    show, failed = printer(options.format, models), False
    for file in options.files:
        for record in records(file, models, options.windows, references):
            failed |= "error" in record
            show(record)
    sys.stdout.flush()
    return 2 if failed else 0


@explains(AudioError, CheckpointError, SpeakerReferenceError, cure="Free some space, or write elsewhere.")
def main(arguments: list[str] | None = None) -> int:
    parser = predict_parser()
    options = parser.parse_args(arguments)
    check_flags(parser, options)
    if sys.stdout is None:
        print("Standard output is closed: leave it open, or name a file for it.", file=sys.stderr)
        return 2
    warnings.simplefilter("ignore")  # the records hold them
    sys.stdout.reconfigure(errors="backslashreplace")  # a file name may hold bytes that are no UTF-8
    try:
        return run(options)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
