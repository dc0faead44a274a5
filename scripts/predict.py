"""Predictions for sound files.

python -m scripts.predict FILE... [--model NAME]... [--windows] [--format json|csv|text]

json is one object a line. A file that cannot be read gives {"file": ..., "error": ...}; the others still run, and the
exit code is 2 at the end. Exit code 0: all were read.
"""

import csv
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from scripts.flags import predict_parser
from ser_core.audio import AudioError, read_audio, speech_segments
from ser_core.inference import prediction_record
from ser_core.labels import EMOTIONS
from ser_core.models import DEFAULT_MODEL, CheckpointError, SERModel, available_models, load_model


def records(file: str, models: list[SERModel], windows: bool) -> Iterator[dict]:
    """One record for each model, or one with the reason why the file cannot be read."""
    try:
        recording = read_audio(Path(file))
    except AudioError as error:
        yield {"file": file, "error": str(error)}
        return
    speech = speech_segments(recording.waveform)
    for model in models:
        yield prediction_record(recording, model, file, windows, speech)


def as_text(record: dict) -> str:
    """One line for a person, and one more for each window."""
    if "error" in record:
        return f"{record['file']}: {record['error']}"
    ranked = ", ".join(f"{name} {p:.0%}" for name, p in record["top3"])
    doubt = f"  Not sure: {record['reason']}" if record["abstain"] else ""
    speech = f"{record['speech_s']:.1f} s of speech in {record['duration_s']:.1f} s"
    lines = [f"{record['file']}: {ranked} ({record['model']}, {speech}){doubt}", *record["notes"]]
    for window in record.get("windows", ()):
        best = window["probabilities"][window["emotion"]]
        lines.append(f"  {window['start_s']:8.2f}-{window['end_s']:.2f} s  {window['emotion']} {best:.0%}")
    return "\n".join(lines)


COLUMNS = (
    *("file", "error", "model", "version", "start_s", "end_s", "speech_s"),
    *("emotion", "confidence", "abstain", "reason", "novelty"),
    *("arousal", "valence", "reference_clips", "reference_source", "reference_note"),
)


def as_rows(record: dict) -> list[dict]:
    """One row for the recording, or for each of its windows with --windows."""
    if "error" in record:
        return [record]
    clip_columns = {name: record[name] for name in ("file", "model", "version")}
    parts = record.get("windows") or [record]
    return [
        {
            name: value
            for name, value in (clip_columns | part | part["probabilities"]).items()
            if name in COLUMNS + EMOTIONS
        }
        for part in parts
    ]


def main(arguments: list[str] | None = None) -> int:
    options = predict_parser().parse_args(arguments)
    warnings.simplefilter("ignore")  # the records hold them
    sys.stdout.reconfigure(errors="backslashreplace")  # a file name may hold bytes that are no UTF-8
    try:
        models = [load_model(name) for name in options.model or available_models()[:1] or [DEFAULT_MODEL]]
    except CheckpointError as error:
        print(error, file=sys.stderr)
        return 2
    table = csv.DictWriter(sys.stdout, COLUMNS + EMOTIONS, lineterminator="\n")
    if options.format == "csv":
        table.writeheader()
    failed = False
    for file in options.files:
        for record in records(file, models, options.windows):
            failed |= "error" in record
            if options.format == "json":
                print(json.dumps(record, ensure_ascii=False), flush=True)
            elif options.format == "text":
                print(as_text(record), flush=True)
            else:
                table.writerows(as_rows(record))
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
