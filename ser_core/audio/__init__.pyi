from .decoding.resampling import (
    MAX_SOURCE_RATE as MAX_SOURCE_RATE,
    MIN_SOURCE_RATE as MIN_SOURCE_RATE,
)
from .decoding.stream import (
    AudioError as AudioError,
)
from .degradations import (
    LARGE_ROOM as LARGE_ROOM,
    PHONE_BAND_HZ as PHONE_BAND_HZ,
    SMALL_ROOM as SMALL_ROOM,
    Degradation as Degradation,
    add_noise as add_noise,
    add_white_noise as add_white_noise,
    apply_gain_control as apply_gain_control,
    change_gain as change_gain,
    change_speed as change_speed,
    clip_peaks as clip_peaks,
    limit_band as limit_band,
    pass_through_gsm as pass_through_gsm,
    place_in_room as place_in_room,
    process_like_browser as process_like_browser,
    shift_pitch as shift_pitch,
    transcode as transcode,
)
from .features import (
    ConvolvedLogMel as ConvolvedLogMel,
    FrontendConfig as FrontendConfig,
    LogMel as LogMel,
    frame_mask as frame_mask,
    standardise_features as standardise_features,
)
from .folders import (
    AUDIO_SUFFIXES as AUDIO_SUFFIXES,
    LINK_TO_PARENT as LINK_TO_PARENT,
    walk_files as walk_files,
)
from .io import (
    FLOOR_DBFS as FLOOR_DBFS,
    MAX_AUDIO_BYTES as MAX_AUDIO_BYTES,
    SAMPLE_RATE as SAMPLE_RATE,
    AudioFile as AudioFile,
    Recording as Recording,
    check_waveform as check_waveform,
    check_waveforms as check_waveforms,
    encode_wav as encode_wav,
    load_audio as load_audio,
    read_audio as read_audio,
    read_bytes as read_bytes,
)
from .isolation.decoder_pool import (
    decoder_pool as decoder_pool,
)
from .mel import (
    hz_to_mel as hz_to_mel,
    mel_filters as mel_filters,
    mel_frequencies as mel_frequencies,
)
from .prosody import (
    ACTIVE_FRAME_RANGE_DB as ACTIVE_FRAME_RANGE_DB,
    OCTAVE_ERROR_SEMITONES as OCTAVE_ERROR_SEMITONES,
    PITCH_RANGE_HZ as PITCH_RANGE_HZ,
    PROSODY_FRAME as PROSODY_FRAME,
    VOICED_CORRELATION as VOICED_CORRELATION,
    Prosody as Prosody,
    centred_frames as centred_frames,
    measure_prosody as measure_prosody,
    power_to_dbfs as power_to_dbfs,
)
from .quality import (
    Quality as Quality,
    measure_quality as measure_quality,
    reduce_noise as reduce_noise,
)
from .repairs.rumble import (
    remove_rumble as remove_rumble,
)
from .vad import (
    speech_segments as speech_segments,
    speech_segments_of_each as speech_segments_of_each,
)
from .windows import (
    WINDOW_OVERLAP as WINDOW_OVERLAP,
    SpeechSegments as SpeechSegments,
    Windows as Windows,
    analysed_bounds as analysed_bounds,
    pad_batch as pad_batch,
    speech_duration_s as speech_duration_s,
    speech_overlap_s as speech_overlap_s,
    trim_silence as trim_silence,
    window_starts as window_starts,
    windows_between as windows_between,
)
