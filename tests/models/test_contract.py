"""The contract of SERModel, kept by every family: network over a spectrogram or a waveform, or scikit-learn."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ser_core.labels import EMOTIONS
from ser_core.models.base import SERModel, SpectrogramModel
from ser_core.models.registry import MODEL_FAMILIES
from ser_core.models.zoo.egemaps.classifier import EgemapsClassifier, EgemapsConfig
from ser_core.models.zoo.pretrained.classifier import HuggingFaceClassifier, HuggingFaceClassifierConfig
from ser_core.models.zoo.wav2vec2 import Wav2Vec2, Wav2Vec2Config
from ser_core.models.zoo.whisper.config import WhisperConfig
from ser_core.models.zoo.whisper.model import Whisper
from tests.make_corpus import voice
from tests.models.zoo.test_zoo import used

TINY = {
    **{"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32},
    **{"conv_dim": [8] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2},
    **{"classifier_proj_size": 12, "layerdrop": 0.0},
}
LENGTHS = torch.tensor([700, 9000, 16_000])


def wav2vec2() -> Wav2Vec2:
    return Wav2Vec2(Wav2Vec2Config(backbone=TINY))


def pretrained() -> HuggingFaceClassifier:
    names = {"neu": "neutral", "hap": "happy"}
    labels = {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}
    config = HuggingFaceClassifierConfig(
        stock={"model_type": "wav2vec2", **TINY} | labels, answers=names, embedding_dim=12
    )
    return HuggingFaceClassifier(config)


def whisper() -> Whisper:
    sizes = {"num_mel_bins": 80, "d_model": 16, "encoder_layers": 3, "encoder_attention_heads": 2}
    backbone = sizes | {"encoder_ffn_dim": 32, "max_source_positions": 1500}
    return Whisper(WhisperConfig(encoder="", backbone=backbone, layers=(2, 3), embedding_dim=12))


def egemaps() -> EgemapsClassifier:
    features = np.random.default_rng(0).normal(size=(60, 88)).astype(np.float32)
    return EgemapsClassifier(EgemapsConfig()).fit(features, np.array(EMOTIONS[:3] * 20))


MAKERS = {
    "resonet": lambda: used("resonet"),
    "cnn": lambda: used("simple-cnn"),
    "vgg": lambda: used("vgg"),
    "resnet": lambda: used("resnet"),
    "wav2vec2": wav2vec2,
    "whisper": whisper,
    "egemaps": egemaps,
    "stock": pretrained,
}


@pytest.fixture(params=MAKERS)
def model(request) -> SERModel:
    torch.manual_seed(0)
    return MAKERS[request.param]().eval()


@pytest.fixture(scope="module")
def batch() -> torch.Tensor:
    """Three voices, padded with zeros, shape = (3, 16000)."""
    voices = np.stack([voice(110 + 40 * i, seed=i, duration_s=1.0) for i in range(len(LENGTHS))])
    return torch.from_numpy(voices) * (torch.arange(16_000) < LENGTHS[:, None])


def test_every_family_is_here():
    assert MAKERS.keys() | {"fusion"} == MODEL_FAMILIES.keys()  # a fusion is of checkpoints, see test_fusion


@pytest.mark.slow
@torch.inference_mode()
def test_the_embedding_is_what_the_head_gets(model, batch):
    embedding = model.embed(batch, LENGTHS)
    features = model.frontend(batch, LENGTHS)
    assert embedding.shape == (3, model.config.embedding_dim)
    torch.testing.assert_close(model.encode(features, model.n_frames(LENGTHS)), embedding)
    torch.testing.assert_close(model.head(embedding), model(batch, LENGTHS))


@torch.inference_mode()
def test_padding_batch_size_and_order_change_no_logits(model, batch):
    alone = torch.cat([model(clip[None, :n]) for clip, n in zip(batch, LENGTHS, strict=True)])
    assert alone.shape == (3, len(EMOTIONS)) and alone.isfinite().all()
    for padding, order in ((0, [0, 1, 2]), (5000, [0, 1, 2]), (0, [2, 0, 1]), (0, [1]), (0, [0, 0])):
        found = model(F.pad(batch[order], (0, padding)), LENGTHS[order])
        torch.testing.assert_close(found, alone[order], rtol=1e-5, atol=5e-5)


def test_what_kind_of_model_it_is(model):
    assert model.is_neural == (model.n_parameters() > 0)
    assert model.exportable == isinstance(model, SpectrogramModel)
    assert model.device.type == "cpu" and model.sample_rate == 16_000


def test_the_contract_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        SERModel(EgemapsConfig())
