from .auxiliary import (
    AuxiliaryTask as AuxiliaryTask,
)
from .classifiers import (
    fit_classifier as fit_classifier,
    functionals_task as functionals_task,
)
from .experiments import (
    Experiment as Experiment,
    append_experiment as append_experiment,
    is_best_of_kind as is_best_of_kind,
    last_epoch_metrics as last_epoch_metrics,
    mean_uar as mean_uar,
    read_experiments as read_experiments,
)
from .recipes import (
    checkpoint_recipe as checkpoint_recipe,
    config_overrides as config_overrides,
    flatten_config as flatten_config,
    override_config as override_config,
    recipe_for_model as recipe_for_model,
)
from .runs import (
    DEV_CONFUSION_KEY as DEV_CONFUSION_KEY,
    TrainingRun as TrainingRun,
    config_differences as config_differences,
    list_runs as list_runs,
)
from .trainer import (
    TrainConfig as TrainConfig,
    TrainingBatch as TrainingBatch,
    TrainingError as TrainingError,
    TrainingExample as TrainingExample,
    TrainingState as TrainingState,
    fit as fit,
    make_optimiser as make_optimiser,
    training_step as training_step,
)
