from .calibration import (
    Reliability as Reliability,
    brier as brier,
    cross_entropy as cross_entropy,
    entropy as entropy,
    fit_temperature as fit_temperature,
    nll as nll,
    reliability as reliability,
)
from .confusion import (
    accuracy as accuracy,
    confusion_matrix as confusion_matrix,
    macro_f1 as macro_f1,
    macro_precision as macro_precision,
    uar as uar,
    weighted_f1 as weighted_f1,
)
from .curves import (
    Curve as Curve,
    auroc as auroc,
    pareto_front as pareto_front,
    precision_recall_curves as precision_recall_curves,
    risk_coverage as risk_coverage,
    roc_curves as roc_curves,
)
from .formatting import (
    format_percent as format_percent,
    round_floats as round_floats,
)
from .scores import (
    ClassScores as ClassScores,
    Scores as Scores,
    class_scores as class_scores,
    compute_scores as compute_scores,
)
from .significance import (
    holm as holm,
    mcnemar as mcnemar,
)
