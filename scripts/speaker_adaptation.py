"""Evaluates speaker adaptation by enrolment: the gain from ten other, unlabelled clips of each test speaker.

python -m scripts.speaker_adaptation resonet      after scripts.prepare_corpora; writes assets/results/enrolled.json

Each clip is predicted relative to the mean embedding of ten other clips of its speaker, drawn at random and without
their labels, as in `predict(..., reference=...)`.
"""

import json
import shlex
import sys

from scripts.common.errors import check_writable, explains
from scripts.common.flags import command_parser
from ser_core import paths
from ser_core.data import ProtocolError, StoreError
from ser_core.evaluation import embed_test_speech, evaluate_enrolment
from ser_core.inference import SpeakerReferenceError, check_takes_reference
from ser_core.models import CheckpointError, load_model

RESULT = paths.RESULTS / "enrolled.json"


@explains(CheckpointError, SpeakerReferenceError, ProtocolError, StoreError)
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("models", nargs="+", help="names of checkpoints that were evaluated on unseen speakers")
    options = parser.parse_args(arguments)
    check_writable(RESULT)
    for name in options.models:
        model = load_model(name, "cpu")
        check_takes_reference(model)
        found = evaluate_enrolment(model, embed_test_speech(model))
        entry = {
            "protocol": model.metrics["protocol"],
            "fold": model.metrics["fold"],
            "command": f"python -m scripts.speaker_adaptation {shlex.quote(model.name)}",
        } | found
        print(json.dumps(entry, indent=1))
        paths.write_json(RESULT, paths.read_json(RESULT) | {model.name: entry})
    return 0


if __name__ == "__main__":
    sys.exit(main())
