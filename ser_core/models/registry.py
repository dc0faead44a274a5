"""The models by name. A new one is one file and its lines here; an ablation is another config of the same class."""

from ser_core.audio import FrontendConfig
from ser_core.models.base import ModelConfig, SERModel
from ser_core.models.zoo.cnn import CNN, CNNConfig
from ser_core.models.zoo.egemaps.classifier import EgemapsClassifier, EgemapsConfig
from ser_core.models.zoo.fusion import Fusion, FusionConfig
from ser_core.models.zoo.pretrained.classifier import HuggingFaceClassifier, HuggingFaceClassifierConfig
from ser_core.models.zoo.resnet import ResNet, ResNetConfig
from ser_core.models.zoo.resonet import ResoNet, ResoNetConfig
from ser_core.models.zoo.vgg import VGG, VGGConfig
from ser_core.models.zoo.wav2vec2 import REFERENCE_HEAD_SIZES, Wav2Vec2, Wav2Vec2Config
from ser_core.models.zoo.whisper.config import WhisperConfig
from ser_core.models.zoo.whisper.model import Whisper

MODEL_FAMILIES: dict[str, tuple[type[SERModel], type[ModelConfig]]] = {
    "resonet": (ResoNet, ResoNetConfig),
    "cnn": (CNN, CNNConfig),
    "vgg": (VGG, VGGConfig),
    "resnet": (ResNet, ResNetConfig),
    "wav2vec2": (Wav2Vec2, Wav2Vec2Config),
    "whisper": (Whisper, WhisperConfig),
    "fusion": (Fusion, FusionConfig),
    "egemaps": (EgemapsClassifier, EgemapsConfig),
    "stock": (HuggingFaceClassifier, HuggingFaceClassifierConfig),
}
"""Family, as in config.json -> the classes of model and config."""

PROSONET_CONFIG = ResoNetConfig(
    frontend=FrontendConfig(n_mels=128, more_windows=(1024,)),  # resolves the harmonics of low voices
    bands_in_one=4,
)
MODELS: dict[str, tuple[str, ModelConfig]] = {
    "prosonet": ("resonet", PROSONET_CONFIG),
    "resonet": ("resonet", ResoNetConfig()),
    "resonet-no-attention": ("resonet", ResoNetConfig(attention=False)),
    "resonet-no-gru": ("resonet", ResoNetConfig(recurrent=False)),
    "resonet-no-residual": ("resonet", ResoNetConfig(residual_blocks=False)),
    "simple-cnn": ("cnn", CNNConfig()),
    "cnn-lstm": ("cnn", CNNConfig(lstm_units=128)),
    "vgg16": ("vgg", VGGConfig()),
    "vgg19": ("vgg", VGGConfig(n_convolutions=(2, 2, 4, 4, 4))),
    "resnet101": ("resnet", ResNetConfig()),
    "wav2vec2": ("wav2vec2", Wav2Vec2Config()),
    "wav2vec2-dense": ("wav2vec2", Wav2Vec2Config(dense=REFERENCE_HEAD_SIZES)),
    "whisper": ("whisper", WhisperConfig()),
    "whisper-light": ("whisper", WhisperConfig(layers=(1, 2, 3))),
    "svm-egemaps": ("egemaps", EgemapsConfig()),
    "random-forest": ("egemaps", EgemapsConfig(classifier="forest")),
    "decision-tree": ("egemaps", EgemapsConfig(classifier="tree")),
}
"""Name -> family and config of the models for training. The egemaps family imports opensmile on use."""


def build_model(name: str, config: ModelConfig | None = None) -> SERModel:
    """A model with random weights.

    Args:
        name: a key of MODELS.
        config: instead of the one in MODELS.

    Raises:
        ValueError: unknown name; the message lists the known ones.
    """
    if name not in MODELS:
        raise ValueError(f"Unknown model {name!r}. There are: {', '.join(MODELS)}.")
    family, own_config = MODELS[name]
    return MODEL_FAMILIES[family][0](config or own_config)
