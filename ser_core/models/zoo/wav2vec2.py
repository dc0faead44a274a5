"""wav2vec 2.0 (Baevski et al. 2020): a pre-trained speech encoder, fine-tuned with a small head.

Names and shapes of `Wav2Vec2ForSequenceClassification`, so that the pipeline of transformers loads the checkpoint. The
convolutional feature encoder is frozen. As padding would leak into its normalisation over time (wav2vec2-base), it
runs on each clip alone, and its features are padded afterwards.
"""

import json
import os
from dataclasses import dataclass, field, replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ser_core.audio import frame_mask
from ser_core.models.base import ModelConfig, WaveformModel, unpadded_lengths
from ser_core.models.errors import first_line

WAV2VEC2_WEIGHTS_HINT = (
    "wav2vec2 is fine-tuned from published weights, which are not part of this program. With internet access:\n"
    "  python -m scripts.train wav2vec2 --start facebook/wav2vec2-base --protocol resonet\n"
    "Without: download them elsewhere, and give the folder (config.json, preprocessor_config.json, "
    "model.safetensors) after --start:\n"
    "  hf download facebook/wav2vec2-base --local-dir wav2vec2-base\n"
    "For a folder with pytorch_model.bin only, convert it first, if you trust the source, as it is a pickle:\n"
    '  python -c "from transformers import Wav2Vec2Model as M; '
    "M.from_pretrained('wav2vec2-base').save_pretrained('wav2vec2-base')\""
)
"""The cure for a missing encoder."""

REFERENCE_HEAD_SIZES = (512, 256)
"""Layers before the last one in the wav2vec2 row of the published comparison (nikhil-yn-aix/ResoNet)."""

WAV2VEC2_VARIANCE_FLOOR = 1e-7  # transformers' own
MAX_MASKED_SHARE = 0.25  # of a clip, by one mask: short clips keep most of their frames
WAV2VEC2_METADATA_KEYS = ("architectures", "dtype", "id2label", "label2id", "transformers_version")


@dataclass(frozen=True)
class Wav2Vec2Config(ModelConfig):
    """The encoder's own configuration, and the head.

    With `dense` layers the pipeline of transformers cannot load the checkpoint.
    """

    backbone: dict = field(default_factory=dict, hash=False)  # arguments of transformers' Wav2Vec2Config; no default
    do_normalize: bool = True  # zero mean and unit variance of each clip, as in its pre-training
    dense: tuple[int, ...] = ()  # layers between the pooled projection and the classifier; (): the stock head

    @property
    def embedding_dim(self) -> int:
        return self.dense[-1] if self.dense else self.backbone["classifier_proj_size"]


class Wav2Vec2(WaveformModel):
    """See the module's docstring.

    A clip shorter than the receptive field (400 samples of wav2vec2-base) is padded with silence.
    """

    config: Wav2Vec2Config

    def __init__(self, config: Wav2Vec2Config):
        """Random weights; see load_weights and from_pretrained_weights.

        Raises:
            ValueError: a config without encoder (the message names the source), or with MFCC or deltas.
        """
        if not config.backbone:
            raise ValueError(WAV2VEC2_WEIGHTS_HINT)
        if config.frontend.n_mfcc or config.frontend.deltas:
            raise ValueError("The input of wav2vec2 is the waveform: it takes neither MFCC nor deltas.")
        super().__init__(config)
        stock = self._transformers_config()
        self.wav2vec2 = transformers_package().Wav2Vec2Model(stock)
        self.wav2vec2.freeze_feature_encoder()
        self.projector = nn.Linear(stock.hidden_size, stock.classifier_proj_size)
        sizes = pairwise((stock.classifier_proj_size, *config.dense))
        self.dense = nn.Sequential(*(_dense_block(n_in, n_out) for n_in, n_out in sizes))
        self.classifier = nn.Linear(config.embedding_dim, len(config.labels))

    @classmethod
    def from_pretrained_weights(cls, config: Wav2Vec2Config, start: str) -> "Wav2Vec2":  # type: ignore[override]  # own config
        """A model with the encoder of a published checkpoint and a random head.

        Weights of pre-training and transcription (quantizer, project_q, project_hid, lm_head) are ignored. The vector
        of masked frames (masked_spec_embed) is in some checkpoints only; otherwise it starts at random.

        Args:
            start: a local folder with config.json, preprocessor_config.json and model.safetensors, or a name on the
                Hugging Face hub.

        Raises:
            ValueError: no such folder or name, another kind of model, or missing weights; the message names the cure.
        """
        _check_model_type(start)
        try:
            extractor = transformers_package().Wav2Vec2FeatureExtractor.from_pretrained(start)
            backbone, report = transformers_package().Wav2Vec2Model.from_pretrained(
                start, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
        except Exception as error:  # its type depends on the folder
            raise ValueError(f"{start} cannot be loaded: {first_line(error)}\n{WAV2VEC2_WEIGHTS_HINT}") from None
        _check_pretrained(start, config, extractor.sampling_rate, backbone.config, report["missing_keys"])
        config = replace(config, backbone=_encoder_config(backbone.config), do_normalize=extractor.do_normalize)
        model = cls(config)
        model.wav2vec2.load_state_dict(backbone.state_dict())
        return model

    @property
    def head(self) -> nn.Module:  # type: ignore[override]  # under the name that transformers gives it
        return self.classifier

    def encode(self, features: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """(B, n_samples) -> embedding, shape = (B, embedding_dim): the mean over each clip's own frames, projected."""
        n_frames = unpadded_lengths(features) if n_frames is None else n_frames
        convolved = self._convolution_features(features, n_frames)
        n_steps = torch.tensor([len(x) for x in convolved], device=features.device)
        hidden, _ = self.wav2vec2.feature_projection(pad_sequence(convolved, batch_first=True))
        inside = frame_mask(n_steps, hidden.shape[1])
        hidden = self.wav2vec2.encoder(
            self._apply_spec_augment(hidden, n_steps), attention_mask=inside
        ).last_hidden_state
        pooled = (hidden.float() * inside[..., None]).sum(1) / n_steps[:, None]
        # transformers projects each frame, then takes the mean: equivalent, as both are linear.
        return self.dense(self.projector(pooled))

    @torch.no_grad()
    def _convolution_features(self, waveform: Tensor, n_samples: Tensor) -> list[Tensor]:
        """The frozen encoder's frames of each clip, shapes = (n_steps, conv_dim)."""
        shortest = receptive_field(self.wav2vec2.config)
        clips = (
            self._normalise_waveform(clip[:n].float()) for clip, n in zip(waveform, n_samples.tolist(), strict=True)
        )
        padded = (nn.functional.pad(clip, (0, max(0, shortest - len(clip)))) for clip in clips)
        return [self.wav2vec2.feature_extractor(clip[None])[0].T for clip in padded]

    def _normalise_waveform(self, clip: Tensor) -> Tensor:
        if not self.config.do_normalize:
            return clip
        variance, mean = torch.var_mean(clip, correction=0)
        return (clip - mean) / (variance + WAV2VEC2_VARIANCE_FLOOR).sqrt()

    def _apply_spec_augment(self, hidden: Tensor, n_steps: Tensor) -> Tensor:
        """SpecAugment in training, by the encoder's configuration.

        Random numbers from torch, seeded by the training; with numpy's, as in transformers, a resumed run would differ.
        """
        stock = self.wav2vec2.config
        if not (self.training and stock.apply_spec_augment and stock.mask_time_prob > 0):
            return hidden
        n_spans = max(stock.mask_time_min_masks, round(stock.mask_time_prob * hidden.shape[1] / stock.mask_time_length))
        hides = _random_spans(n_steps, hidden.shape[1], n_spans, stock.mask_time_length)
        return torch.where(hides[..., None], self.wav2vec2.masked_spec_embed.to(hidden.dtype), hidden)

    def transformers_files(self) -> dict[str, dict]:
        """Files for `transformers.pipeline("audio-classification", model=folder)`; none with `dense` layers."""
        if self.config.dense:
            return {}
        stock = self._transformers_config()
        stock.architectures = ["Wav2Vec2ForSequenceClassification"]
        extractor = transformers_package().Wav2Vec2FeatureExtractor(
            sampling_rate=self.sample_rate, do_normalize=self.config.do_normalize, return_attention_mask=True
        )
        # The weights are in half precision on disk only; the pipeline would also compute in it.
        config = json.loads(stock.to_json_string()) | {"dtype": "float32"}
        return {"config.json": config, "preprocessor_config.json": json.loads(extractor.to_json_string())}

    def _transformers_config(self):
        """The configuration of the network in transformers."""
        id2label = dict(enumerate(self.config.labels))
        label2id = {label: i for i, label in id2label.items()}
        return transformers_package().Wav2Vec2Config(**self.config.backbone, id2label=id2label, label2id=label2id)


def _dense_block(n_in: int, n_out: int) -> nn.Module:
    return nn.Sequential(nn.Dropout(0.1), nn.Linear(n_in, n_out), nn.ReLU(), nn.BatchNorm1d(n_out))


def _random_spans(n_steps: Tensor, width: int, n_spans: int, length: int) -> Tensor:
    """True inside random spans, each within its clip, shape = (B, width)."""
    lengths = (n_steps * MAX_MASKED_SHARE).long().clamp_max(length)[:, None, None]
    start = torch.rand(len(n_steps), n_spans, 1, device=n_steps.device) * (n_steps[:, None, None] - lengths + 1)
    distance = torch.arange(width, device=n_steps.device) - start.long()
    return ((distance >= 0) & (distance < lengths)).any(1)


def receptive_field(config) -> int:
    """Samples behind one frame of an encoder, from its configuration in transformers."""
    n_samples = 1
    for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True):
        n_samples = (n_samples - 1) * stride + kernel
    return n_samples


def transformers_package():
    """transformers, imported on use: it takes seconds."""
    try:
        import transformers
    except ModuleNotFoundError:
        raise ValueError("This model needs transformers: pip install -r requirements-wav2vec2.txt") from None
    return transformers


def _check_model_type(start: str) -> None:
    """Raises ValueError unless `start` is a wav2vec2 model; before any large download."""
    try:
        values, _ = transformers_package().Wav2Vec2Config.get_config_dict(start)
    except OSError as error:
        where = (
            f"The folder {start}" if os.path.isdir(start) else f"{start!r} is not a local folder, and the hub's copy"
        )
        raise ValueError(f"{where} cannot be read: {first_line(error)}\n{WAV2VEC2_WEIGHTS_HINT}") from None
    if values.get("model_type") != "wav2vec2":
        raise ValueError(f"{start} is not a wav2vec2 model (model_type in config.json: {values.get('model_type')}).")


def _check_pretrained(start: str, config: Wav2Vec2Config, sample_rate: int, stock, missing: set[str]) -> None:
    if lost := sorted(missing - {"masked_spec_embed"}):
        raise ValueError(f"{start} is incomplete: {len(lost)} weights are missing, as {', '.join(lost[:3])}.")
    if sample_rate != config.frontend.sample_rate:
        raise ValueError(f"{start} expects {sample_rate} Hz, this program {config.frontend.sample_rate} Hz.")
    if stock.add_adapter:
        raise ValueError(f"{start} ends in adapter layers, which are not supported (add_adapter).")


def _encoder_config(stock) -> dict:
    """The configuration of the encoder, as plain JSON."""
    values = json.loads(stock.to_json_string()) | {"use_weighted_layer_sum": False}
    return {name: value for name, value in values.items() if name not in WAV2VEC2_METADATA_KEYS}
