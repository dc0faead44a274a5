"""Who is in which fold of the speaker-independent protocols, clip by clip in assets/protocols/<protocol>.csv."""

from ser_core.data.utterances import OTHER_LANGUAGE_CORPORA, Utterance

N_FOLDS = 5
RAVDESS_FOLDS = (  # Luna-Jimenez et al., "A proposal for multimodal emotion recognition ...", Applied Sciences 2022
    (2, 5, 14, 15, 16),
    (3, 6, 7, 13, 18),
    (10, 11, 12, 19, 20),
    (8, 17, 21, 23, 24),
    (1, 4, 9, 22),
)
CREMA_D_FOLDS = ((1001, 1018), (1019, 1036), (1037, 1054), (1055, 1072), (1073, 1091))  # EMO-SUPERB's blocks
SAVEE_FOLDS = ("DC", "JE", "JK", "KL")
TESS_FOLDS = ("OAF", "YAF")


def speaker_independent_fold(utterance: Utterance) -> str:
    """Test fold of the speaker of an utterance."""
    corpus, name = utterance.speaker.split("-")
    if corpus == "ravdess":
        fold = next(i for i, actors in enumerate(RAVDESS_FOLDS) if int(name) in actors)
    elif corpus == "crema_d":
        fold = next(i for i, (first, last) in enumerate(CREMA_D_FOLDS) if first <= int(name) <= last)
    else:
        fold = {"savee": SAVEE_FOLDS, "tess": TESS_FOLDS}[corpus].index(name)
    return str(fold)


def speaker_independent(utterances: list[Utterance]) -> dict[str, str]:
    return {u.id: speaker_independent_fold(u) for u in utterances if u.corpus not in OTHER_LANGUAGE_CORPORA}


def speaker_independent_8(utterances: list[Utterance]) -> dict[str, str]:
    """speaker_independent, and the speakers of each corpus in another language dealt to the folds in order of name."""
    fold: dict[str, str] = {}
    for corpus in OTHER_LANGUAGE_CORPORA:
        speakers = sorted({u.speaker for u in utterances if u.corpus == corpus})
        fold |= {speaker: str(i % N_FOLDS) for i, speaker in enumerate(speakers)}
    return speaker_independent(utterances) | {u.id: fold[u.speaker] for u in utterances if u.speaker in fold}
