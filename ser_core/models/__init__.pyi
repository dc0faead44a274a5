from .adapter import (
    MIN_ADAPTATION_CLIPS as MIN_ADAPTATION_CLIPS,
    Adapter as Adapter,
    AdapterError as AdapterError,
    apply_adapter as apply_adapter,
    fit_adapter as fit_adapter,
)
from .base import (
    ModelConfig as ModelConfig,
    SERModel as SERModel,
    SpectrogramModel as SpectrogramModel,
    check_model as check_model,
    reference_weight as reference_weight,
    unpadded_lengths as unpadded_lengths,
)
from .calibration import (
    Calibration as Calibration,
)
from .checkpoint import (
    load_fusion as load_fusion,
    load_model as load_model,
    models_with_emotions as models_with_emotions,
    models_with_reference as models_with_reference,
    save_metrics_and_card as save_metrics_and_card,
    save_model as save_model,
    usable_device as usable_device,
    weights_files as weights_files,
    weights_sha256 as weights_sha256,
)
from .enrolled import (
    REFERENCE_SEED as REFERENCE_SEED,
    enrolled_logits as enrolled_logits,
)
from .errors import (
    DeviceError as DeviceError,
)
from .hub import (
    HubModel as HubModel,
    export_hub as export_hub,
)
from .names import (
    CARD_FILE as CARD_FILE,
    CONFIG_FILE as CONFIG_FILE,
    DEFAULT_MODEL as DEFAULT_MODEL,
    FAST_MODEL as FAST_MODEL,
    HOW_TO_TRAIN as HOW_TO_TRAIN,
    METRICS_FILE as METRICS_FILE,
    NOVELTY_FILE as NOVELTY_FILE,
    OFFSETS_FILE as OFFSETS_FILE,
    CheckpointError as CheckpointError,
    UnknownModel as UnknownModel,
    available_models as available_models,
    checkpoint_folder as checkpoint_folder,
    checkpoint_name as checkpoint_name,
    fast_model as fast_model,
    models_for_long_audio as models_for_long_audio,
    read_metrics as read_metrics,
    resolve_model as resolve_model,
    training_record as training_record,
)
from .offsets import (
    NEUTRAL_SHARE as NEUTRAL_SHARE,
    mean_offset as mean_offset,
    save_offsets as save_offsets,
)
from .onnx import (
    ONNX_FILE as ONNX_FILE,
    ONNX_INPUTS as ONNX_INPUTS,
    ExportError as ExportError,
    export_onnx as export_onnx,
    open_onnx as open_onnx,
    write_onnx_readme as write_onnx_readme,
)
from .ood import (
    TYPICAL as TYPICAL,
    UNLIKE_TRAINING as UNLIKE_TRAINING,
    UNUSUAL as UNUSUAL,
    NoveltyDetector as NoveltyDetector,
    fit_distance_reference as fit_distance_reference,
    fit_neighbour_reference as fit_neighbour_reference,
    fit_novelty_detector as fit_novelty_detector,
)
from .possible import (
    limit_emotions as limit_emotions,
)
from .registry import (
    MODEL_FAMILIES as MODEL_FAMILIES,
    MODELS as MODELS,
    build_model as build_model,
)
from .zoo.egemaps.classifier import (
    EgemapsClassifier as EgemapsClassifier,
    EgemapsConfig as EgemapsConfig,
)
from .zoo.egemaps.functionals import (
    EGEMAPS_LEVEL_QUANTILE as EGEMAPS_LEVEL_QUANTILE,
    EGEMAPS_TARGET_LEVEL as EGEMAPS_TARGET_LEVEL,
    check_egemaps_installed as check_egemaps_installed,
    egemaps_functionals as egemaps_functionals,
    functional_names as functional_names,
    functionals_cache as functionals_cache,
)
from .zoo.fusion import (
    Fusion as Fusion,
)
from .zoo.pretrained.labels import (
    describe_labels as describe_labels,
)
from .zoo.pretrained.loading import (
    load_pretrained_classifier as load_pretrained_classifier,
)
from .zoo.reduced import (
    use_float32 as use_float32,
)
from .zoo.resonet import (
    ResoNet as ResoNet,
)
from .zoo.wav2vec2 import (
    WAV2VEC2_WEIGHTS_HINT as WAV2VEC2_WEIGHTS_HINT,
)
from .zoo.whisper.config import (
    WhisperConfig as WhisperConfig,
)
from .zoo.whisper.encoder import (
    save_whisper_encoder as save_whisper_encoder,
    shared_layers as shared_layers,
)
from .zoo.whisper.model import (
    Whisper as Whisper,
)
from .zoo.whisper.pooling import (
    head_input as head_input,
)
