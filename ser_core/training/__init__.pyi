from .auxiliary import (
    AuxiliaryTask as AuxiliaryTask,
    build_auxiliary_tasks as build_auxiliary_tasks,
)
from .batches import (
    TrainingBatch as TrainingBatch,
    TrainingData as TrainingData,
)
from .classifiers import (
    fit_classifier as fit_classifier,
)
from .config import (
    TrainConfig as TrainConfig,
    TrainingError as TrainingError,
    TrainingExample as TrainingExample,
)
from .experiments import (
    DEV_UAR as DEV_UAR,
    MODEL_PREFIX as MODEL_PREFIX,
    Experiment as Experiment,
    last_epoch_metrics as last_epoch_metrics,
    log_experiment as log_experiment,
    mean_dev_uar as mean_dev_uar,
    read_experiments as read_experiments,
)
from .frozen.cache import (
    StatisticsCache as StatisticsCache,
)
from .frozen.cross_corpus import (
    ENROLMENT_CLIPS as ENROLMENT_CLIPS,
    MIN_SPEAKERS as MIN_SPEAKERS,
    UnseenPredictions as UnseenPredictions,
    check_corpora as check_corpora,
    corpora_of as corpora_of,
    predict_left_out_corpora as predict_left_out_corpora,
    predict_unseen_speakers as predict_unseen_speakers,
)
from .frozen.curve import (
    HeadCurve as HeadCurve,
)
from .frozen.fit import (
    EncoderFit as EncoderFit,
    check_tuning as check_tuning,
)
from .frozen.frames import (
    FrameCache as FrameCache,
)
from .frozen.head import (
    HeadConfig as HeadConfig,
)
from .frozen.offsets import (
    fit_emotion_offsets as fit_emotion_offsets,
)
from .frozen.tuning import (
    frames_layer as frames_layer,
    pool_clips as pool_clips,
)
from .optimiser import (
    make_optimiser as make_optimiser,
)
from .recipes import (
    changed_settings as changed_settings,
    checkpoint_recipe as checkpoint_recipe,
    config_overrides as config_overrides,
    flatten_config as flatten_config,
    head_recipe as head_recipe,
    initial_model as initial_model,
    model_architecture as model_architecture,
    override_config as override_config,
    recipe_for_model as recipe_for_model,
    training_recipe as training_recipe,
)
from .run_state import (
    TrainingRun as TrainingRun,
    TrainingState as TrainingState,
)
from .runs import (
    CURVE_FILE as CURVE_FILE,
    DEV_CONFUSION_KEY as DEV_CONFUSION_KEY,
    RunRecord as RunRecord,
    config_differences as config_differences,
    curve_text as curve_text,
    list_runs as list_runs,
    read_curve as read_curve,
    write_run as write_run,
)
from .splits import (
    check_complete as check_complete,
    check_start_split as check_start_split,
    check_teacher_split as check_teacher_split,
    leaked_clips as leaked_clips,
    read_training_data as read_training_data,
    start_history as start_history,
    start_name as start_name,
    training_history as training_history,
)
from .trainer import (
    Callbacks as Callbacks,
    fit as fit,
    training_step as training_step,
)
