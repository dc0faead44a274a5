"""Adaptation without training: to a speaker by a few unlabelled clips, to a collection by some of its recordings."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ser_core.data import (
    UNKNOWN_SPEAKER,
    AudioStore,
    ProtocolError,
    Utterance,
    is_speech,
    protocol_split,
    read_protocol,
    unseen_speaker_fold,
)
from ser_core.inference import (
    MIN_REFERENCE_CLIPS,
    Reference,
    check_takes_reference,
    collection_reference,
    has_speech,
    read_drawn_clips,
    run_clips,
    speaker_reference,
)
from ser_core.metrics import confusion_matrix, uar
from ser_core.models import SERModel, enrolled_logits
from ser_core.training import ENROLMENT_CLIPS


@dataclass(frozen=True, eq=False)
class EmbeddedSpeech:
    """Test speech of a model as embeddings."""

    embeddings: np.ndarray  # mean over the windows of each clip, (n_clips, embedding_dim)
    y_true: np.ndarray  # (n_clips,)
    speakers: np.ndarray  # names, (n_clips,)
    corpora: np.ndarray  # names, (n_clips,)


def evaluate_enrolment(model: SERModel, clips: EmbeddedSpeech) -> dict:
    """UAR in [0, 1] by corpus without and with enrolment: "n_enrolled", "uar", "uar_enrolled".

    Args:
        model: that takes a reference.

    Raises:
        ValueError: the model takes no reference.
    """
    embeddings = clips.embeddings.astype(np.float32)
    with torch.inference_mode():
        alone = model.classify(torch.from_numpy(embeddings)).numpy()
    return {
        "n_enrolled": ENROLMENT_CLIPS,
        "uar": _uar_by_corpus(model, clips, alone),
        "uar_enrolled": _uar_by_corpus(
            model, clips, enrolled_logits(model, embeddings, clips.speakers, ENROLMENT_CLIPS)[0]
        ),
    }


def corpus_references(model: SERModel, utterances: Sequence[Utterance]) -> dict[str, Reference]:
    """Corpus -> reference of its recordings as a collection; without corpora of fewer than three clips of speech.

    Recordings that cannot be read are left out; predict_utterances_per_model names them.

    Raises:
        SpeakerReferenceError: the model takes no reference.
    """
    clips = _drawn_clips(utterances, lambda utterance: utterance.corpus)
    made = ((corpus, collection_reference(model, waveforms)) for corpus, waveforms in clips)
    return {corpus: reference for corpus, reference in made if reference}


def speaker_references(model: SERModel, utterances: Sequence[Utterance]) -> dict[str, Reference]:
    """Speaker -> reference of their recordings; without unknown speakers and those of fewer than three clips of speech.

    Recordings that cannot be read are left out, see corpus_references.

    Raises:
        SpeakerReferenceError: the model takes no reference.
    """
    check_takes_reference(model)
    found = {}
    known = [utterance for utterance in utterances if utterance.speaker != f"{utterance.corpus}-{UNKNOWN_SPEAKER}"]
    for speaker, waveforms in _drawn_clips(known, lambda utterance: utterance.speaker):
        spoken = [waveform for waveform in waveforms if has_speech(model, waveform)]
        if len(spoken) >= MIN_REFERENCE_CLIPS:
            found[speaker] = speaker_reference(model, spoken)
    return found


def _drawn_clips(
    utterances: Sequence[Utterance], group: Callable[[Utterance], str]
) -> Iterator[tuple[str, list[np.ndarray]]]:
    """Each group of recordings, and the start of at most 30 of them: one group at a time in memory."""
    for name in dict.fromkeys(map(group, utterances)):
        own = [utterance for utterance in utterances if group(utterance) == name]
        files = [utterance.path for utterance in own]
        yield name, read_drawn_clips(list(map(str, files)), files)


def embed_test_speech(model: SERModel) -> EmbeddedSpeech:
    """Embeds the speech of a model's test part.

    Raises:
        FileNotFoundError: no cache.
        ProtocolError: speakers of the training part, or missing recordings.
    """
    protocol, fold = unseen_speaker_fold(model.name, model.metrics)
    store, test = AudioStore(), set(protocol_split(protocol, fold).test)
    known = [row for row in read_protocol(protocol) if row["utterance"] in test]
    rows = [row for row in known if is_speech(row["corpus"])]
    if missing := sum(row["utterance"] not in store for row in rows):
        raise ProtocolError(
            f"{missing} of the {len(rows)} test recordings are not in the cache: python -m scripts.prepare_corpora"
        )
    return EmbeddedSpeech(
        embeddings=run_clips(model, [store.trimmed(row["utterance"]) for row in rows]).embeddings,
        y_true=np.array([model.config.labels.index(row["emotion"]) for row in rows]),
        speakers=np.array([row["speaker"] for row in rows]),
        corpora=np.array([row["corpus"] for row in rows]),
    )


def _uar_by_corpus(model: SERModel, clips: EmbeddedSpeech, logits: np.ndarray) -> dict[str, float]:
    """UAR of each corpus, and "mean" over them."""
    y_pred, found = logits.argmax(1), {}
    for corpus in np.unique(clips.corpora):
        own = clips.corpora == corpus
        confusion = confusion_matrix(clips.y_true[own], y_pred[own], len(model.config.labels))
        found[str(corpus)] = round(float(uar(confusion)), 4)
    return found | {"mean": round(float(np.mean(list(found.values()))), 4)}
