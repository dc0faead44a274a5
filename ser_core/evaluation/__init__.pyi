from .calibration import (
    export_checkpoint as export_checkpoint,
    fit_calibration as fit_calibration,
)
from .changing_emotions import (
    JoinedClips as JoinedClips,
    OverTime as OverTime,
    join_clips as join_clips,
    score_live as score_live,
    score_segments as score_segments,
    score_timeline as score_timeline,
)
from .comparison.compare import (
    Comparison as Comparison,
    ComparisonError as ComparisonError,
    compare_results as compare_results,
)
from .comparison.leakage import (
    LeakagePart as LeakagePart,
    LeakageReport as LeakageReport,
)
from .comparison.pairs import (
    PairwiseTest as PairwiseTest,
    pooled_predictions as pooled_predictions,
)
from .comparison.published import (
    published_table as published_table,
)
from .comparison.ranking import (
    RankedModel as RankedModel,
)
from .cost import (
    BASELINE_MODEL as BASELINE_MODEL,
    compare_with_baseline as compare_with_baseline,
    cost_table as cost_table,
    measure_cost as measure_cost,
    median_ms as median_ms,
    single_torch_thread as single_torch_thread,
)
from .cross_corpus.calibration import (
    fit_cross_corpus_calibration as fit_cross_corpus_calibration,
    fit_cross_corpus_novelty as fit_cross_corpus_novelty,
    fit_familiarity as fit_familiarity,
)
from .cross_corpus.expectation import (
    COLLECTION_CLIPS as COLLECTION_CLIPS,
    ENROLLED_CLIPS as ENROLLED_CLIPS,
    LABELLED_CLIPS as LABELLED_CLIPS,
    N_REFERENCE_CLIPS as N_REFERENCE_CLIPS,
    describe_collection as describe_collection,
    describe_enrolment as describe_enrolment,
    describe_expected_accuracy as describe_expected_accuracy,
    describe_plain_reading as describe_plain_reading,
    measured_reference as measured_reference,
)
from .cross_corpus.folds import (
    auroc_unlike_training as auroc_unlike_training,
    counts_by_corpus as counts_by_corpus,
    mean_report as mean_report,
    mean_reports as mean_reports,
    reports_by_corpus as reports_by_corpus,
)
from .cross_corpus.report import (
    corpus_report as corpus_report,
)
from .cross_corpus.subsets import (
    ALONE as ALONE,
    counts_path as counts_path,
    read_counts as read_counts,
    subset_scores as subset_scores,
    sum_counts as sum_counts,
)
from .cross_validation import (
    CrossValidationResult as CrossValidationResult,
    concatenate_predictions as concatenate_predictions,
    left_out_uars as left_out_uars,
    load_cross_validation as load_cross_validation,
    mean_over_corpora as mean_over_corpora,
    ranking_key as ranking_key,
)
from .environment import (
    citation_bibtex as citation_bibtex,
    code_version as code_version,
    folder_bytes as folder_bytes,
    required_packages as required_packages,
    resident_bytes as resident_bytes,
    system_info as system_info,
)
from .evaluator import (
    evaluate as evaluate,
    predict_utterances as predict_utterances,
    predict_utterances_per_model as predict_utterances_per_model,
)
from .model_cards.card import (
    render_model_card as render_model_card,
    render_pretrained_card as render_pretrained_card,
)
from .model_cards.sections import (
    evaluation_sections as evaluation_sections,
    fold_table as fold_table,
    markdown_table as markdown_table,
    published_section as published_section,
)
from .model_cards.tables import (
    score_table as score_table,
)
from .ood_detection import (
    evaluate_ood_detection as evaluate_ood_detection,
    evaluate_recorded_sounds as evaluate_recorded_sounds,
    read_trimmed_test_speech as read_trimmed_test_speech,
)
from .own_data.confounds import (
    Confound as Confound,
    measure_confounds as measure_confounds,
)
from .own_data.head import (
    MIN_CLIPS_PER_EMOTION as MIN_CLIPS_PER_EMOTION,
    HeadError as HeadError,
    OwnHead as OwnHead,
    clips_for_head as clips_for_head,
    missing_for_head as missing_for_head,
    train_own_head as train_own_head,
)
from .own_data.labels import (
    DoubtfulLabel as DoubtfulLabel,
    find_duplicates as find_duplicates,
    rank_doubtful_labels as rank_doubtful_labels,
)
from .results import (
    EvaluationResult as EvaluationResult,
    ResultError as ResultError,
    list_results as list_results,
    load_result as load_result,
    result_path as result_path,
    save_result as save_result,
)
from .robustness import (
    CLEAN as CLEAN,
    RobustnessScores as RobustnessScores,
    evaluate_robustness as evaluate_robustness,
)
from .scoring.listeners import (
    score_listeners as score_listeners,
)
from .scoring.metrics import (
    Metrics as Metrics,
    compute_metrics as compute_metrics,
)
from .scoring.predictions import (
    PredictionTable as PredictionTable,
)
from .speaker_adaptation import (
    corpus_references as corpus_references,
    embed_test_speech as embed_test_speech,
    evaluate_enrolment as evaluate_enrolment,
    speaker_references as speaker_references,
)
from .summary.fairness import (
    GROUPINGS as GROUPINGS,
    score_groups as score_groups,
)
from .summary.intended_use import (
    INTENDED_USE as INTENDED_USE,
)
from .summary.verdict import (
    Verdict as Verdict,
    listener_uars as listener_uars,
    read_verdict as read_verdict,
)
from .tasks.clips import (
    read_test_part as read_test_part,
    read_unseen_speech as read_unseen_speech,
)
from .tasks.record import (
    Reproduction as Reproduction,
    build_result as build_result,
    compare_with_recorded as compare_with_recorded,
    own_metrics as own_metrics,
    recompute_result as recompute_result,
)
from .tasks.task import (
    EvaluationTask as EvaluationTask,
    check_recordable as check_recordable,
    evaluation_task as evaluation_task,
)
