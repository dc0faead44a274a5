from .atlas import (
    Atlas as Atlas,
    AtlasError as AtlasError,
    available_atlases as available_atlases,
    load_atlas as load_atlas,
)
from .atlas_export import (
    add_maps as add_maps,
    export_atlas as export_atlas,
)
from .attribution.explain import (
    EXPECTED_GRADIENTS as EXPECTED_GRADIENTS,
    GRAD_CAM as GRAD_CAM,
    INTEGRATED_GRADIENTS as INTEGRATED_GRADIENTS,
    OCCLUSION as OCCLUSION,
    SELF_ATTENTION as SELF_ATTENTION,
    SILENCING as SILENCING,
    Explanation as Explanation,
    attribution_methods as attribution_methods,
    explain as explain,
)
from .attribution.features import (
    AttributionTarget as AttributionTarget,
)
from .attribution.occlusion import (
    OCCLUSION_PATCH_BANDS as OCCLUSION_PATCH_BANDS,
    OCCLUSION_PATCH_S as OCCLUSION_PATCH_S,
    SILENCED_SPAN_S as SILENCED_SPAN_S,
)
from .clusters import (
    Cluster as Cluster,
    density as density,
    extent as extent,
    map_clusters as map_clusters,
)
from .embeddings import (
    MAP_QUALITY_NEIGHBOURS as MAP_QUALITY_NEIGHBOURS,
    RAW_FEATURES as RAW_FEATURES,
    MapQuality as MapQuality,
    embed_windows as embed_windows,
    map_quality as map_quality,
    nearest_neighbours as nearest_neighbours,
    raw_features as raw_features,
)
from .faithfulness import (
    CLEAR_GAIN as CLEAR_GAIN,
    FaithfulnessCurves as FaithfulnessCurves,
    measure_faithfulness as measure_faithfulness,
    mel_band_centres_hz as mel_band_centres_hz,
    split_by_relevance as split_by_relevance,
)
from .lessons import (
    CIRCUMPLEX_COORDINATES as CIRCUMPLEX_COORDINATES,
    LESSON_HOP_LENGTH as LESSON_HOP_LENGTH,
    LESSON_TOP_DB as LESSON_TOP_DB,
    LESSON_WINDOWS_MS as LESSON_WINDOWS_MS,
    MODEL_FRONTEND as MODEL_FRONTEND,
    MODEL_FRONTEND_WINDOW_S as MODEL_FRONTEND_WINDOW_S,
    circumplex_position as circumplex_position,
    emotion_eta_squared as emotion_eta_squared,
    frequency_resolution_hz as frequency_resolution_hz,
    has_stage_outputs as has_stage_outputs,
    highest_variance_channels as highest_variance_channels,
    logmel_db as logmel_db,
    loudest_excerpt as loudest_excerpt,
    mel_band_edges_hz as mel_band_edges_hz,
    mfcc_explained_variance as mfcc_explained_variance,
    mfcc_reconstruction as mfcc_reconstruction,
    shared_speaker_fraction as shared_speaker_fraction,
    stage_feature_maps as stage_feature_maps,
)
from .probes import (
    PERTURBATION_PROBES as PERTURBATION_PROBES,
    PerturbationProbe as PerturbationProbe,
    perturb_waveform as perturb_waveform,
    perturbation_probabilities as perturbation_probabilities,
)
from .projection import (
    UMAP_INSTALL_HINT as UMAP_INSTALL_HINT,
    Projection as Projection,
    ProjectionConfig as ProjectionConfig,
    can_fit_umap as can_fit_umap,
)
from .sanity_check import (
    parameter_randomisation_test as parameter_randomisation_test,
)
from .voice import (
    VOICE_MEASURES as VOICE_MEASURES,
    measure_voice as measure_voice,
)
from .voice_ranges import (
    ANY_VOICE as ANY_VOICE,
    VOICE_GROUPS as VOICE_GROUPS,
    VOICE_RANGES as VOICE_RANGES,
    VoiceGroup as VoiceGroup,
    VoiceRange as VoiceRange,
    VoiceRanges as VoiceRanges,
    describe_voice as describe_voice,
    load_voice_ranges as load_voice_ranges,
    summarise_voices as summarise_voices,
    write_voice_ranges as write_voice_ranges,
)
