from .auxiliary import (
    AuxiliaryTask as AuxiliaryTask,
)
from .batches import (
    BatchSource as BatchSource,
    TrainingBatch as TrainingBatch,
    TrainingData as TrainingData,
)
from .classifiers import (
    fit_classifier as fit_classifier,
    functionals_task as functionals_task,
)
from .config import (
    TrainConfig as TrainConfig,
    TrainingError as TrainingError,
    TrainingExample as TrainingExample,
)
from .experiments import (
    Experiment as Experiment,
    append_experiment as append_experiment,
    is_best_of_kind as is_best_of_kind,
    last_epoch_metrics as last_epoch_metrics,
    mean_uar as mean_uar,
    read_experiments as read_experiments,
)
from .optimiser import (
    make_optimiser as make_optimiser,
)
from .recipes import (
    checkpoint_recipe as checkpoint_recipe,
    config_overrides as config_overrides,
    flatten_config as flatten_config,
    override_config as override_config,
    recipe_for_model as recipe_for_model,
)
from .run_state import (
    TrainingRun as TrainingRun,
    TrainingState as TrainingState,
    new_state as new_state,
)
from .runs import (
    DEV_CONFUSION_KEY as DEV_CONFUSION_KEY,
    RunRecord as RunRecord,
    config_differences as config_differences,
    list_runs as list_runs,
)
from .trainer import (
    Callbacks as Callbacks,
    fit as fit,
    training_step as training_step,
)
