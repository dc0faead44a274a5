from .attribution import (
    OPPOSING_COLOUR as OPPOSING_COLOUR,
    SUPPORTING_COLOUR as SUPPORTING_COLOUR,
    describe_relevance as describe_relevance,
    faithfulness_lines as faithfulness_lines,
    probe_lines as probe_lines,
    relevance_map as relevance_map,
)
from .clip.bars import (
    aligned_probability_bars as aligned_probability_bars,
    probability_bars as probability_bars,
    stacked_probability_bars as stacked_probability_bars,
)
from .clip.spectrogram import (
    Spectrogram as Spectrogram,
    features_png as features_png,
    magma_colours as magma_colours,
    spectrogram as spectrogram,
    waveform_envelope as waveform_envelope,
)
from .clip.timeline import (
    describe_trajectory as describe_trajectory,
    timeline_data as timeline_data,
)
from .curves import (
    experiment_dots as experiment_dots,
    learning_curves as learning_curves,
    pareto_dots as pareto_dots,
    precision_recall_lines as precision_recall_lines,
    reliability_diagram as reliability_diagram,
    risk_coverage_lines as risk_coverage_lines,
    roc_lines as roc_lines,
)
from .evaluation import (
    SCORE_TITLES as SCORE_TITLES,
    class_score_dots as class_score_dots,
    emotion_boxplots as emotion_boxplots,
    group_intervals as group_intervals,
    ranking_plot as ranking_plot,
    score_bars as score_bars,
    verdict_plot as verdict_plot,
)
from .heatmaps import (
    agreement_heatmap as agreement_heatmap,
    confusion_heatmap as confusion_heatmap,
    count_heatmap as count_heatmap,
    score_heatmap as score_heatmap,
    significance_heatmap as significance_heatmap,
)
from .lessons import (
    circumplex_plot as circumplex_plot,
    feature_map_grid as feature_map_grid,
    log_mel_image as log_mel_image,
    mel_filter_triangles as mel_filter_triangles,
    prosody_curves as prosody_curves,
    seen_and_unseen_speakers as seen_and_unseen_speakers,
    spectral_envelope_lines as spectral_envelope_lines,
)
from .maps.names import (
    ONLY_WIDE as ONLY_WIDE,
    WIDE as WIDE,
    add_cluster_names as add_cluster_names,
)
from .maps.on_top import (
    UserClip as UserClip,
    add_chosen_clip as add_chosen_clip,
    add_density_contours as add_density_contours,
    add_user_clips as add_user_clips,
)
from .maps.scatter import (
    MAX_DRAWN_POINTS as MAX_DRAWN_POINTS,
    embedding_scatter as embedding_scatter,
    embedding_scatter_by_value as embedding_scatter_by_value,
    group_count_bars as group_count_bars,
    points_in_polygon as points_in_polygon,
)
from .own_data import (
    confound_bars as confound_bars,
    emotion_count_bars as emotion_count_bars,
)
from .plane import (
    arousal_valence_plane as arousal_valence_plane,
)
from .reports.comparison import (
    comparison_page as comparison_page,
)
from .reports.cost import (
    CostPanel as CostPanel,
    cost_lines as cost_lines,
)
from .reports.html_report import (
    LabelScores as LabelScores,
    ReportClip as ReportClip,
    ReportRow as ReportRow,
    batch_report as batch_report,
    clip_report as clip_report,
)
from .style import (
    GREY as GREY,
    emotion_label as emotion_label,
    format_duration as format_duration,
    format_frequency as format_frequency,
    format_time as format_time,
    png_source as png_source,
)
from .tables import (
    figure_to_rows as figure_to_rows,
)
from .voice import (
    NamedVoice as NamedVoice,
    format_measure as format_measure,
    format_normal as format_normal,
    format_value as format_value,
    probability_differences as probability_differences,
    two_clips as two_clips,
    voice_strips as voice_strips,
)
