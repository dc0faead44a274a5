from .audio_store.index import (
    audio_cache_folder as audio_cache_folder,
)
from .audio_store.reading import (
    AudioStore as AudioStore,
    StoreError as StoreError,
    TrimmedClips as TrimmedClips,
)
from .audio_store.writing import (
    decode_recordings as decode_recordings,
)
from .corpora import (
    CorporaListing as CorporaListing,
    corpora_root as corpora_root,
    read_corpora as read_corpora,
)
from .downloads import (
    DownloadError as DownloadError,
)
from .feedback import (
    FEEDBACK_FILE as FEEDBACK_FILE,
    FEEDBACK_FOLDER_HINT as FEEDBACK_FOLDER_HINT,
    Feedback as Feedback,
    FeedbackError as FeedbackError,
    delete_feedback as delete_feedback,
    feedback_folder as feedback_folder,
    read_feedback as read_feedback,
    save_feedback as save_feedback,
)
from .file_labels import (
    FileLabel as FileLabel,
    FileLabels as FileLabels,
    label_files as label_files,
)
from .file_names import (
    parse_filename as parse_filename,
)
from .folders import (
    UNKNOWN_SPEAKER as UNKNOWN_SPEAKER,
    content_digest as content_digest,
    parse_utterance_id as parse_utterance_id,
    read_folder as read_folder,
)
from .label_tables import (
    TABLE_SUFFIXES as TABLE_SUFFIXES,
    UNKNOWN_EMOTION as UNKNOWN_EMOTION,
    emotion_word as emotion_word,
    table_rows as table_rows,
)
from .listener_votes import (
    ListenerVotes as ListenerVotes,
    read_listener_votes as read_listener_votes,
)
from .noises import (
    read_noises as read_noises,
)
from .protocols.assignment import (
    LEAVE_ONE_CORPUS_OUT as LEAVE_ONE_CORPUS_OUT,
    LEFT_OUT as LEFT_OUT,
    PROTOCOLS as PROTOCOLS,
    SPEAKER_INDEPENDENT as SPEAKER_INDEPENDENT,
    SPEAKER_INDEPENDENT_8 as SPEAKER_INDEPENDENT_8,
    SPEAKER_OVERLAP as SPEAKER_OVERLAP,
)
from .protocols.files import (
    ProtocolError as ProtocolError,
    protocol_folds as protocol_folds,
    protocol_of_split as protocol_of_split,
    read_protocol as read_protocol,
    split_name as split_name,
    write_protocol as write_protocol,
)
from .protocols.splits import (
    ProtocolSplit as ProtocolSplit,
    protocol_split as protocol_split,
    training_speakers as training_speakers,
    unseen_speaker_fold as unseen_speaker_fold,
)
from .sources.catalogue import (
    CORPUS_SOURCES as CORPUS_SOURCES,
    DOWNLOAD_INSTRUCTIONS as DOWNLOAD_INSTRUCTIONS,
)
from .sources.download import (
    download_corpus as download_corpus,
)
from .statistics import (
    measure_recording as measure_recording,
    summarise_corpora as summarise_corpora,
)
from .utterances import (
    ALL_SPEECH_CORPORA as ALL_SPEECH_CORPORA,
    CORPUS_LANGUAGES as CORPUS_LANGUAGES,
    CORPUS_LICENCES as CORPUS_LICENCES,
    CORPUS_NAMES as CORPUS_NAMES,
    SPEECH_CORPORA as SPEECH_CORPORA,
    CorpusError as CorpusError,
    Utterance as Utterance,
    corpus_name as corpus_name,
    is_speech as is_speech,
)
