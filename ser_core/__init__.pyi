from .audio import (
    AudioError as AudioError,
    Quality as Quality,
    Recording as Recording,
    load_audio as load_audio,
    measure_quality as measure_quality,
    read_audio as read_audio,
    speech_segments as speech_segments,
)
from .data import Utterance as Utterance, corpora_root as corpora_root, read_corpora as read_corpora
from .evaluation import Metrics as Metrics, evaluate as evaluate
from .inference import (
    Prediction as Prediction,
    Reference as Reference,
    Trajectory as Trajectory,
    collection_reference as collection_reference,
    embed as embed,
    predict as predict,
    predict_batch as predict_batch,
    predict_windows as predict_windows,
    speaker_reference as speaker_reference,
)
from .labels import EMOTIONS as EMOTIONS
from .models import (
    CheckpointError as CheckpointError,
    available_models as available_models,
    limit_emotions as limit_emotions,
    load_model as load_model,
)

__version__: str
