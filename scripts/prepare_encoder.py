"""Fetches the encoder of Whisper once, for all checkpoints that are built on it: checkpoints/encoders/<name>.

python -m scripts.prepare_encoder openai/whisper-base           with internet access
python -m scripts.prepare_encoder whisper-base                  a folder with config.json and model.safetensors
python -m scripts.prepare_encoder whisper-base --layers 6       all layers; by default those of the shipped models
"""

import sys
from pathlib import Path

from scripts.common.errors import explains
from scripts.common.flags import command_parser
from ser_core import paths
from ser_core.models import WhisperConfig, save_whisper_encoder


@explains(ValueError)
def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("start", help="a folder, or a name on the Hugging Face hub")
    parser.add_argument("--layers", type=int, default=max(WhisperConfig().layers), help="number of layers to keep")
    parser.add_argument("--name", help="of the folder; default: the last part of START")
    options = parser.parse_args(arguments)
    folder = paths.ENCODERS / (options.name or Path(options.start).resolve().name)
    save_whisper_encoder(options.start, options.layers, folder)
    print(f"{folder} is ready. Train a model on it: python -m scripts.train whisper --protocol left-out --fold tess")
    return 0


if __name__ == "__main__":
    sys.exit(main())
