"""Export of a checkpoint for the Hugging Face hub: weights, config, and a card with the metrics in its header.

The folder is still a checkpoint of this program, for `load_model` and the app.
"""

import shutil
from dataclasses import asdict
from pathlib import Path

from huggingface_hub import EvalResult, ModelCardData, PyTorchModelHubMixin, snapshot_download
from torch import Tensor, nn

from ser_core import paths
from ser_core.data import CORPUS_LANGUAGES, CORPUS_LICENCES, CORPUS_NAMES, protocol_split
from ser_core.models.base import SERModel
from ser_core.models.calibration import FARTHEST, NEAREST
from ser_core.models.checkpoint import load_model, save_model
from ser_core.models.names import (
    CARD_FILE,
    CONFIG_FILE,
    METRICS_FILE,
    NOVELTY_FILE,
    OFFSETS_FILE,
    checkpoint_folder,
    training_record,
)
from ser_core.models.onnx import ExportError
from ser_core.models.registry import MODEL_FAMILIES
from ser_core.models.zoo.fusion import Fusion
from ser_core.models.zoo.whisper.model import Whisper

HUB_LIBRARY_NAME = "speech-emotion-workbench"
HUB_FILES = (
    *(CONFIG_FILE, METRICS_FILE, CARD_FILE, NOVELTY_FILE, OFFSETS_FILE),
    *("preprocessor_config.json", "model.safetensors"),
)
HUB_METRICS = (("uar", "recall", "UAR (unweighted average recall)"), ("accuracy", "accuracy", "Accuracy"))
"""Key of our metrics, type and title on the hub."""
HUB_PIPELINE_TAG = "audio-classification"

LOADING_SECTION = """
## How to load it

With the Speech emotion workbench, which also reads this folder as a checkpoint of its app:

```python
from ser_core import load_audio, predict
from ser_core.models import HubModel

model = HubModel.from_pretrained("FOLDER")  # a local folder, or USER/NAME on the hub
print(predict(model.network, load_audio("speech.wav")))
```

Logits become probabilities by `softmax(logits / {temperature:g})`; a prediction below {min_confidence:g} counts as
"not sure". Recordings are split into windows of {window_s:g} s, half overlapping, whose logits are averaged.{scaled}
{relative}{stock}"""

SCALING_SENTENCE = """ First, the
logits of each window are divided by its distance from the training data (`model.network.novelty`), clipped to
{nearest:g}..{farthest:g}, to the power of {distance_power:g}."""

REFERENCE_SENTENCE = """With reference clips of weight w (`ser_core.models.reference_weight`), the logits are multiplied
by {reference_gain:g} to the power of w, and the threshold is {reference_min_confidence:g}.
"""

TRANSFORMERS_SECTION = """
With transformers alone (`pip install transformers torch`); its scores are those before calibration:

```python
from transformers import pipeline

print(pipeline("audio-classification", model="FOLDER")("speech.wav"))
```
"""


class HubModel(nn.Module, PyTorchModelHubMixin, library_name=HUB_LIBRARY_NAME):
    """A checkpoint with `from_pretrained`, `save_pretrained` and `push_to_hub`: waveform in, logits out.

    network: the model itself, in eval mode, with calibration, novelty and metrics.
    """

    def __init__(self, network: SERModel, training: dict):
        super().__init__()
        self.network = network
        self.training_record = training  # nn.Module's own `training` is a flag

    def forward(self, waveform: Tensor, n_samples: Tensor | None = None) -> Tensor:
        """(B, n_samples) -> logits, shape = (B, n_classes)."""
        return self.network(waveform, n_samples)

    def _save_pretrained(self, save_directory: Path) -> None:
        network = self.network
        family = next(name for name, (kind, _) in MODEL_FAMILIES.items() if type(network) is kind)
        own = (network.calibration, self.training_record, network.novelty, network.emotion_offsets)
        save_model(network, save_directory, family, *own)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **options) -> "HubModel":
        """Strict and without pickles, which the mixin's own loading is not.

        Raises:
            CheckpointError: see load_model.
        """
        wanted = ("revision", "cache_dir", "force_download", "local_files_only", "token")
        folder = Path(model_id)
        if not folder.is_dir():
            how = {name: options[name] for name in wanted if name in options}
            folder = Path(snapshot_download(model_id, allow_patterns=list(HUB_FILES), **how))
        return cls(load_model(folder, options.get("map_location", "cpu")), training_record(folder)).eval()


def export_hub(name_or_folder: str | Path, folder: Path) -> None:
    """Writes the folder, without any upload.

    Raises:
        CheckpointError: see load_model.
        ExportError: a scikit-learn model.
        OSError: the folder cannot be written.
    """
    model = load_model(name_or_folder, "cpu")
    if not model.is_neural:
        raise ExportError(f"{model.name} is a model of scikit-learn on openSMILE's features: no network to export.")
    if isinstance(model, Fusion):
        raise ExportError(f"{model.name} is a sum of models: export its members {', '.join(model.config.members)}.")
    source = checkpoint_folder(name_or_folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in HUB_FILES:
        if name != CARD_FILE and (source / name).is_file():
            with paths.atomic_path(folder / name) as temporary:
                shutil.copyfile(source / name, temporary)
    if isinstance(model, Whisper) and model.config.encoder:
        own = (model.calibration, training_record(source), model.novelty, model.emotion_offsets)
        save_model(model.standalone(), folder, "whisper", *own)
    corpora = _training_corpora(source)
    has_card = (source / CARD_FILE).is_file()
    card = (source / CARD_FILE).read_text() if has_card else _unevaluated_card(model, corpora)
    header = card_front_matter(model, sorted({CORPUS_LANGUAGES[corpus] for corpus in corpora}))
    paths.write_text(folder / CARD_FILE, f"---\n{header}\n---\n\n{card}{_loading_section(model)}")


def _training_corpora(checkpoint: Path) -> list[str]:
    """The public corpora that a checkpoint and its start were trained on; none for one that was published elsewhere."""
    training = training_record(checkpoint)
    parts = [part for part in (training, *training.get("start_trained_on", [])) if "protocol" in part]
    return sorted(
        {i.partition("/")[0] for part in parts for i in protocol_split(part["protocol"], part.get("fold")).train}
    )


def _unevaluated_card(model: SERModel, corpora: list[str]) -> str:
    terms = ", ".join(f"{CORPUS_NAMES[corpus]} ({CORPUS_LICENCES[corpus]})" for corpus in corpora)
    licence = f"The weights inherit the terms of their training recordings: {terms or 'see their publication'}."
    return f"# {model.name}\n\nIt was never evaluated.\n\n## Licence\n\n{licence}\n"


def card_front_matter(model: SERModel, languages: list[str]) -> str:
    """The header of the card in YAML, with the figures of metrics.json.

    Args:
        languages: of the training recordings (ISO 639-1); empty where they are unknown.
    """
    return ModelCardData(
        language=languages or None,
        license="other",
        license_name="as-published" if model.note else "non-commercial-terms-of-the-recordings",
        license_link="README.md#licence",
        library_name=HUB_LIBRARY_NAME,
        pipeline_tag=HUB_PIPELINE_TAG,
        tags=["speech-emotion-recognition", "speech", "emotion", "audio", "pytorch_model_hub_mixin"],
        model_name=model.name,
        eval_results=_model_index_results(model.metrics) or None,
    ).to_yaml()


def _model_index_results(metrics: dict) -> list[EvalResult]:
    """UAR and accuracy of each corpus of the test part, with the interval over speakers if there is one."""
    if not metrics:
        return []
    part = metrics["protocol"] + (f", fold {metrics['fold']}" if metrics["fold"] is not None else "")
    return [
        EvalResult(
            task_type=HUB_PIPELINE_TAG,
            task_name="Speech emotion recognition",
            dataset_type=corpus,
            dataset_name=CORPUS_NAMES[corpus],
            dataset_config=part,
            dataset_split="test",
            metric_type=kind,
            metric_name=title,
            metric_value=scores[key],
            metric_args={"ci_95_over_speakers": scores[f"{key}_ci"]} if scores[f"{key}_ci"] else None,
        )
        for corpus, scores in metrics["corpora"].items()
        for key, kind, title in HUB_METRICS
    ]


def _loading_section(model: SERModel) -> str:
    calibration = asdict(model.calibration)
    scaled = SCALING_SENTENCE.format(nearest=NEAREST, farthest=FARTHEST, **calibration)
    fitted = model.calibration.reference_min_confidence is not None
    return LOADING_SECTION.format(
        **calibration,
        window_s=model.config.window_s,
        scaled=scaled if model.calibration.distance_power else "",
        relative=REFERENCE_SENTENCE.format(**calibration) if fitted else "",
        stock=TRANSFORMERS_SECTION if model.transformers_files() else "",
    )
