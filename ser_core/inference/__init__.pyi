from .annotation.annotations import (
    Annotation as Annotation,
    AnnotationError as AnnotationError,
    AnnotationFile as AnnotationFile,
)
from .annotation.reading import (
    ANNOTATION_SUFFIXES as ANNOTATION_SUFFIXES,
    read_annotations as read_annotations,
)
from .annotation.summary import (
    Peak as Peak,
    TrajectorySummary as TrajectorySummary,
    default_smoothing as default_smoothing,
    summarise_trajectory as summarise_trajectory,
)
from .annotation.units import (
    SpeakerMean as SpeakerMean,
    annotation_tiers as annotation_tiers,
    predict_annotations as predict_annotations,
    speaker_means as speaker_means,
)
from .archive.batch import (
    WorkerDied as WorkerDied,
    enrol_speakers as enrol_speakers,
    run_job as run_job,
)
from .archive.batch_table import (
    predict_files as predict_files,
)
from .archive.executors import (
    ClusterError as ClusterError,
    dask_executor as dask_executor,
    n_cores as n_cores,
    process_executor as process_executor,
    start_processes as start_processes,
)
from .archive.job import (
    BatchJob as BatchJob,
    bad_files_path as bad_files_path,
    exclusive_lock as exclusive_lock,
    open_job as open_job,
)
from .archive.merge import (
    finish_job as finish_job,
)
from .archive.plan import (
    ArchivePart as ArchivePart,
    BatchError as BatchError,
)
from .archive.speakers import (
    BY_FOLDER as BY_FOLDER,
    SpeakerTableError as SpeakerTableError,
)
from .enrolment import (
    EnrolmentGain as EnrolmentGain,
    collection_reference as collection_reference,
    enrolment_gain as enrolment_gain,
    has_speech as has_speech,
    recording_reference as recording_reference,
    speaker_reference as speaker_reference,
)
from .ensemble import (
    ENSEMBLE_NAME as ENSEMBLE_NAME,
    ensemble_disagreement as ensemble_disagreement,
    ensemble_prediction as ensemble_prediction,
    pairwise_agreement as pairwise_agreement,
    stack_probabilities as stack_probabilities,
)
from .forward import (
    CPU_BATCH_SIZE as CPU_BATCH_SIZE,
    calibrated_probabilities as calibrated_probabilities,
    clip_window_starts as clip_window_starts,
    clip_windows as clip_windows,
    embed as embed,
    frontend_features as frontend_features,
    mean_over_windows as mean_over_windows,
    run_clips as run_clips,
    run_windows as run_windows,
)
from .model_cache import (
    loaded_models as loaded_models,
    shared_model as shared_model,
    unload_models as unload_models,
)
from .prediction.abstention import (
    MAX_NOVELTY_PERCENTILE as MAX_NOVELTY_PERCENTILE,
    is_hardly_speech as is_hardly_speech,
)
from .prediction.predict import (
    predict as predict,
    predict_batch as predict_batch,
    predict_windows as predict_windows,
    predict_with_windows as predict_with_windows,
)
from .progressive import (
    GRID_HOP_S as GRID_HOP_S,
    PartialTrajectory as PartialTrajectory,
    extend_trajectory as extend_trajectory,
    pool_trajectory as pool_trajectory,
    start_trajectory as start_trajectory,
)
from .queue import (
    MAX_WAITING_REQUESTS as MAX_WAITING_REQUESTS,
    ClientGone as ClientGone,
    QueueFull as QueueFull,
    Ticket as Ticket,
    inference_queue as inference_queue,
)
from .records import (
    SHORT_RECORDING_NOTE as SHORT_RECORDING_NOTE,
    Embedding as Embedding,
    embedding_record as embedding_record,
    prediction_record as prediction_record,
    window_records as window_records,
)
from .reference import (
    OWN_RECORDING as OWN_RECORDING,
    TOGETHER as TOGETHER,
    Reference as Reference,
    ReferenceChoice as ReferenceChoice,
    SpeakerReferenceError as SpeakerReferenceError,
    check_reference as check_reference,
    check_takes_emotions as check_takes_emotions,
    check_takes_reference as check_takes_reference,
    enrolled_model as enrolled_model,
    source_and_mood as source_and_mood,
)
from .reference_clips import (
    MAX_REFERENCE_CLIP_S as MAX_REFERENCE_CLIP_S,
    MAX_REFERENCE_CLIPS as MAX_REFERENCE_CLIPS,
    MIN_REFERENCE_CLIPS as MIN_REFERENCE_CLIPS,
    MIN_SUGGESTED_COLLECTION as MIN_SUGGESTED_COLLECTION,
    read_drawn_clips as read_drawn_clips,
    reference_part as reference_part,
)
from .results import (
    EVERYDAY_CLIPS as EVERYDAY_CLIPS,
    FAR_NOTE as FAR_NOTE,
    MIN_SPEECH_TO_PREDICT_S as MIN_SPEECH_TO_PREDICT_S,
    NEUTRAL_CLIPS as NEUTRAL_CLIPS,
    Prediction as Prediction,
    Trajectory as Trajectory,
    arousal_and_valence as arousal_and_valence,
)
from .segments import (
    NOT_ANALYSED as NOT_ANALYSED,
    Segment as Segment,
    label_segments as label_segments,
)
from .smoothing import (
    EMA_SMOOTHING as EMA_SMOOTHING,
    HYSTERESIS_SMOOTHING as HYSTERESIS_SMOOTHING,
    MEDIAN_SMOOTHING as MEDIAN_SMOOTHING,
    NO_SMOOTHING as NO_SMOOTHING,
    NO_SPEECH as NO_SPEECH,
    NOT_SURE as NOT_SURE,
    Smoothing as Smoothing,
    label_in_words as label_in_words,
    prediction_label as prediction_label,
    smooth_trajectory as smooth_trajectory,
    speech_mask as speech_mask,
    window_edges_s as window_edges_s,
    window_labels as window_labels,
)
from .streaming.session import (
    DEFAULT_LIVE_SMOOTHING as DEFAULT_LIVE_SMOOTHING,
    LIVE_HOP_S as LIVE_HOP_S,
    MAX_LIVE_RECORDING_S as MAX_LIVE_RECORDING_S,
    LivePrediction as LivePrediction,
    LiveSession as LiveSession,
    LiveSummary as LiveSummary,
)
from .writers import (
    as_srt as as_srt,
    as_textgrid as as_textgrid,
    guard_formula as guard_formula,
)
