"""Labels from file names, in every common folder layout; no file is dropped without a reason."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ser_core.data.corpora import corpora_root, read_corpora
from ser_core.data.file_names import EXCLUDED_RECORDINGS, REPEATED_RECORDINGS, parse_filename
from ser_core.data.utterances import CORPUS_LANGUAGES, CORPUS_NAMES, SPEECH_CORPORA, CorpusError
from ser_core.labels import EMOTIONS
from tests.make_corpus import empty_files, write_wav


def parsed(name: str):
    return parse_filename(Path(name))


# --- the grammars ----------------------------------------------------------------------------------------------------


def test_ravdess_emotions(subtests):
    for code, emotion in enumerate(EMOTIONS, start=1):
        with subtests.test(code=code):
            assert parsed(f"Actor_12/03-01-{code:02d}-01-02-01-12.wav").emotion == emotion


def test_ravdess_fields():
    found = parsed("Actor_24/03-01-06-02-01-02-24.wav")
    assert (found.id, found.corpus, found.speaker) == ("ravdess/03-01-06-02-01-02-24", "ravdess", "ravdess-24")
    assert (found.sex, found.emotion, found.intensity, found.sentence) == ("female", "fear", "high", "01")
    assert parsed("03-01-06-01-01-02-23.wav").sex == "male"
    assert parsed("03-01-06-01-01-02-23.wav").intensity == "normal"


def test_ravdess_song_is_a_corpus_of_its_own_with_the_same_speakers():
    found = parsed("03-02-02-01-01-01-07.wav")
    assert (found.corpus, found.speaker, found.emotion) == ("ravdess_song", "ravdess-07", "calm")


def test_ravdess_video_tracks_are_excluded_with_the_reason(subtests):
    for name in ["01-01-06-01-01-02-23.wav", "02-02-06-01-01-02-23.wav"]:
        with subtests.test(name=name):
            assert "video" in parsed(name)


def test_crema_d_emotions(subtests):
    for code, emotion in [
        ("ANG", "angry"),
        ("DIS", "disgust"),
        ("FEA", "fear"),
        ("HAP", "happy"),
        ("NEU", "neutral"),
        ("SAD", "sad"),
    ]:
        with subtests.test(code=code, emotion=emotion):
            assert parsed(f"1001_DFA_{code}_XX.wav").emotion == emotion


def test_crema_d_fields():
    found = parsed("1002_IEO_SAD_HI.wav")
    assert (found.id, found.corpus, found.speaker) == ("crema_d/1002_IEO_SAD_HI", "crema_d", "crema_d-1002")
    assert (found.sex, found.age, found.intensity, found.sentence) == ("female", 21, "high", "IEO")
    levels = {level: parsed(f"1002_IEO_SAD_{level}.wav").intensity for level in ("LO", "MD", "XX", "X")}
    assert levels == {"LO": "low", "MD": "medium", "XX": None, "X": None}


def test_tess_emotions(subtests):
    for emotion in ["angry", "disgust", "fear", "happy", "neutral", "sad"]:
        with subtests.test(emotion=emotion):
            assert parsed(f"YAF_back_{emotion}.wav").emotion == emotion


def test_tess_fields():
    found = parsed("YAF_base_ps.wav")
    assert (found.id, found.corpus, found.speaker) == ("tess/YAF_base_ps", "tess", "tess-YAF")
    assert (found.emotion, found.sex, found.age, found.sentence) == ("surprise", "female", 26, "base")
    assert parsed("OA_bite_neutral.wav").speaker == parsed("OAF_bite_sad.wav").speaker == "tess-OAF"
    assert parsed("OAF_bite_sad.wav").age == 64


def test_savee_emotions(subtests):
    for code, emotion in [
        ("a", "angry"),
        ("d", "disgust"),
        ("f", "fear"),
        ("h", "happy"),
        ("n", "neutral"),
        ("sa", "sad"),
        ("su", "surprise"),
    ]:
        with subtests.test(code=code, emotion=emotion):
            found = parsed(f"JK_{code}03.wav")
            assert (found.id, found.emotion, found.sentence) == (f"savee/JK_{code}03", emotion, "03")
            assert (found.corpus, found.speaker, found.sex) == ("savee", "savee-JK", "male")


def test_the_first_three_sentences_of_savee_are_common_to_all_emotions():
    assert parsed("JK_a02.wav").sentence == parsed("JK_n02.wav").sentence == "02"
    assert parsed("JK_a04.wav").sentence != parsed("JK_h04.wav").sentence


def test_hindi_takes_speaker_and_emotion_from_the_folders(subtests):
    for name, wanted in {
        "8/session1/anger/8.1.anger-08.wav": ("hindi/8-1-anger-08", "angry", "08"),
        "2/session5/disgust/2.5.dusgust-09.wav": ("hindi/2-5-disgust-09", "disgust", "09"),
        "4/session3/disgust/4.3.disgust07.wav": ("hindi/4-3-disgust-07", "disgust", "07"),
        "7/session5/sad/7.5.Sad-05.wav": ("hindi/7-5-sad-05", "sad", "05"),
        "4/session4/happy/4.5.happy-08.wav": ("hindi/4-5-happy-08", "happy", "08"),
    }.items():
        with subtests.test(name=name):
            found = parsed(f"somewhere/{name}")
            assert (found.id, found.emotion, found.sentence) == wanted
            assert (found.speaker, found.sex, found.language) == (f"hindi-{name[0]}", "unknown", "hi")
            assert parsed(found.id).emotion == found.emotion
    assert "eight" in parsed("1/session1/sarcastic/1.1.sarcastic-01.wav")


def test_emovo_emotions(subtests):
    for code, emotion in zip(
        ["dis", "gio", "neu", "pau", "rab", "sor", "tri"],
        ["disgust", "happy", "neutral", "fear", "angry", "surprise", "sad"],
        strict=True,
    ):
        with subtests.test(code=code):
            found = parsed(f"m2/{code}-m2-b1.wav")
            assert (found.id, found.emotion, found.sentence) == (f"emovo/{code}-m2-b1", emotion, "b1")
            assert (found.speaker, found.sex, found.language) == ("emovo-m2", "male", "it")
    assert parsed("gio-f3-l4.wav").sex == "female"


def test_turev_emotions(subtests):
    for code, emotion in {"kz": "angry", "sk": "calm", "mt": "happy", "hl": "sad"}.items():
        with subtests.test(code=code):
            found = parsed(f"Sound Source/Any/1984_{code}_lufer.wav")
            assert (found.id, found.emotion, found.sentence) == (f"turev/1984_{code}_lufer", emotion, "lufer")
            assert (found.speaker, found.sex, found.language) == ("turev-1984", "unknown", "tr")
    assert parsed("7895_hl_ogul1.wav").sentence == "ogul"


def test_ased_emotions(subtests):
    for code, emotion in {"n1": "neutral", "f2": "fear", "h3": "happy", "s4": "sad", "a5": "angry"}.items():
        with subtests.test(code=code):
            found = parsed(f"ASED_V1/any/{code}-02-01-02-37.wav")
            assert (found.id, found.emotion, found.sentence) == (f"ased/{code}-02-01-02-37", emotion, "02")
            assert (found.speaker, found.sex, found.language) == ("ased-37", "male", "am")
    assert parsed("s4-01-02-02-09.wav").sex == "female"  # her only file that states "male"
    assert "words" in parsed("a5-03-01-02-50.wav")


def test_sounds_of_esc_50_are_excluded(subtests):
    for name in ["301_crying_baby/1-187207-A.opus", "audio/1-187207-A-20.wav"]:
        with subtests.test(name=name):
            assert "ESC-50" in parsed(name)


def test_unrecognised_names(subtests):
    for name in [
        "03-01-09-01-01-01-01.wav",  # no ninth emotion
        "03-01-01-01-01-01-25.wav",  # no actor 25
        "03-01-01-01-01-01.wav",
        "1001_DFA_SUR_XX.wav",
        "1001_DFA_ANG_XX (1).wav",
        "OAF_back_calm.wav",
        "ZZ_a01.wav",
        "somebody/a01.wav",
        "a01.wav",
        "notes.wav",
        "9/session1/anger/9.1.anger-01.wav",
        "1.1.anger-01.wav",
        "gio-x1-b1.wav",
        "1984_xx_lufer.wav",
        "a5-08-01-02-50.wav",
    ]:
        with subtests.test(name=name):
            assert parsed(name) is None


# --- the trees -------------------------------------------------------------------------------------------------------

RAVDESS, SONG, CREMA_D = "03-01-05-01-01-01-01", "03-02-05-01-01-01-01", "1001_DFA_ANG_XX"
WANTED = {
    f"ravdess/{RAVDESS}": "angry",
    f"ravdess_song/{SONG}": "angry",
    f"crema_d/{CREMA_D}": "angry",
    "tess/OAF_back_angry": "angry",
    "tess/OAF_back_ps": "surprise",
    "savee/DC_a01": "angry",
    "hindi/1-2-anger-03": "angry",
    "emovo/gio-f1-b2": "happy",
    "turev/1234_sk_cay": "calm",
    "ased/n1-01-02-01-09": "neutral",
}
OTHER_LANGUAGES = {
    "opus": (
        "hindi/1/session2/anger/1.2.anger-03.opus",
        "emovo/f1/gio-f1-b2.opus",
        "turev/Calm/1234_sk_cay.opus",
        "ased/n1-01-02-01-09.opus",
    ),
    "wav": (
        "my Dataset/1/session2/anger/1.2.anger-03.wav",
        "EMOVO/f1/gio-f1-b2.wav",
        "TurEV-DB/Sound Source/Calm/1234_sk_cay.wav",
        "ASED_V1/Neutral/n1-01-02-01-09.wav",
    ),
}
TREES = {
    "our opus tree": (
        f"ravdess/Actor_01/{RAVDESS}.opus",
        f"ravdess_song/Actor_01/{SONG}.opus",
        f"crema_d/{CREMA_D}.opus",
        "tess/OAF_back_angry.opus",
        "tess/OAF_back_ps.opus",
        "savee/DC_a01.opus",
        *OTHER_LANGUAGES["opus"],
    ),
    "as downloaded": (
        f"Audio_Speech_Actors_01-24/Actor_01/{RAVDESS}.wav",
        f"Audio_Song_Actors_01-24/Actor_01/{SONG}.wav",
        f"CREMA-D/AudioWAV/{CREMA_D}.wav",
        "TESS Toronto emotional speech set data/OAF_angry/OAF_back_angry.wav",
        "TESS Toronto emotional speech set data/OAF_Pleasant_surprise/OAF_back_ps.wav",
        "AudioData/DC/a01.wav",
        *OTHER_LANGUAGES["wav"],
    ),
    "SAVEE in one folder": (
        f"Actor_01/{RAVDESS}.wav",
        f"Actor_01/{SONG}.wav",
        f"AudioWAV/{CREMA_D}.wav",
        "OAF_angry/OAF_back_angry.wav",
        "OAF_pleasant_surprised/OAF_back_ps.wav",
        "ALL/DC_a01.wav",
        *OTHER_LANGUAGES["wav"],
    ),
    "older projects": (
        f"datasets/ravdess_dataset/Actor_01/{RAVDESS}.wav",
        f"datasets/ravdess_dataset/Actor_01/{SONG}.wav",
        f"datasets/crema_dataset/{CREMA_D}.wav",
        "datasets/tess_dataset/OAF_back_angry.wav",
        "datasets/tess_dataset/OAF_back_ps.wav",
        "datasets/savee_dataset/DC_a01.wav",
        *OTHER_LANGUAGES["wav"],
    ),
}


@pytest.mark.parametrize("case", [str, str.lower, str.upper])
@pytest.mark.parametrize("tree", TREES)
def test_every_tree_in_every_case_gives_the_same_utterances(tmp_path, tree, case):
    reading = read_corpora(empty_files(tmp_path, *map(case, TREES[tree])))
    assert {u.id: u.emotion for u in reading.utterances} == WANTED
    assert [u.id for u in reading.utterances] == sorted(WANTED)
    assert all(u.path.is_file() for u in reading.utterances)
    assert not reading.excluded and not reading.unrecognised


def test_defective_recordings_are_excluded_with_the_reason(tmp_path):
    names = [f"{key}.wav" for key in EXCLUDED_RECORDINGS]
    assert Counter(key.split("/")[0] for key in names) == {"crema_d": 7, "ased": 2}
    reading = read_corpora(empty_files(tmp_path, "crema_d/1001_DFA_ANG_XX.wav", *names))
    assert len(reading.utterances) == 1
    assert reading.excluded == {f"{key}.wav": reason for key, reason in EXCLUDED_RECORDINGS.items()}


def test_a_recording_under_two_names_is_used_and_listed(tmp_path):
    names = ("03-01-03-01-02-01-07.wav", "03-01-03-01-02-02-07.wav", "h3-01-02-02-08.wav")
    reading = read_corpora(empty_files(tmp_path, *names))
    assert len(reading.utterances) == 3
    assert reading.repeated == {"ravdess/03-01-03-01-02-02-07": "ravdess/03-01-03-01-02-01-07"}


def test_repeated_recordings_have_one_speaker_and_one_label():
    for name, other in REPEATED_RECORDINGS.items():
        first, second = parsed(name), parsed(other)
        assert first.id != second.id
        assert (first.speaker, first.emotion, first.sentence) == (second.speaker, second.emotion, second.sentence)


def test_unrecognised_audio_files_are_listed(tmp_path):
    names = ("crema_d/1001_DFA_ANG_XX.wav", "crema_d/._1001_DFA_ANG_XX.wav", "holiday.mp3", "README.txt", "actors.csv")
    assert read_corpora(empty_files(tmp_path, *names)).unrecognised == ("crema_d/._1001_DFA_ANG_XX.wav", "holiday.mp3")


def test_a_duplicate_is_excluded_and_names_the_first(tmp_path):
    reading = read_corpora(empty_files(tmp_path, "a/1001_DFA_ANG_XX.wav", "b/1001_dfa_ang_xx.WAV"))
    assert [u.path for u in reading.utterances] == [tmp_path / "a/1001_DFA_ANG_XX.wav"]
    assert reading.excluded == {"b/1001_dfa_ang_xx.WAV": "duplicate of a/1001_DFA_ANG_XX.wav"}


def test_the_original_is_preferred_to_its_mp3(tmp_path):
    empty_files(tmp_path, "AudioMP3/1001_DFA_ANG_XX.mp3", "AudioWAV/1001_DFA_ANG_XX.wav")
    assert [u.path.suffix for u in read_corpora(tmp_path).utterances] == [".wav"]


def test_every_audio_file_is_used_excluded_or_listed(tmp_path):
    names = [name for tree in TREES.values() for name in tree] + ["x.wav", "crema_d/1076_MTI_SAD_XX.wav"]
    reading = read_corpora(empty_files(tmp_path, *names))
    accounted = [str(u.path.relative_to(tmp_path)) for u in reading.utterances] + [
        *reading.excluded,
        *reading.unrecognised,
    ]
    assert sorted(accounted) == sorted(set(names))


# --- what is not there -----------------------------------------------------------------------------------------------


def test_a_missing_folder_is_named_with_the_cure(tmp_path):
    with pytest.raises(CorpusError, match=r"nowhere .*SER_CORPORA"):
        read_corpora(tmp_path / "nowhere")
    empty_files(tmp_path, "03-01-01-01-01-01-01.wav")
    with pytest.raises(CorpusError, match=r"wav is a file, not a folder\. Set SER_CORPORA"):
        read_corpora(tmp_path / "03-01-01-01-01-01-01.wav")


def test_an_empty_folder_lists_what_is_expected(tmp_path):
    with pytest.raises(CorpusError, match=re.escape(str(tmp_path))) as error:
        read_corpora(tmp_path)
    assert all(corpus in str(error.value) for corpus in CORPUS_NAMES.values())


def test_a_folder_of_other_recordings_counts_them(tmp_path):
    with pytest.raises(CorpusError, match=r"\(2 "):
        read_corpora(empty_files(tmp_path, "a.wav", "b.mp3"))


def test_the_corpora_folder_comes_from_the_environment_or_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SER_CORPORA", raising=False)
    with pytest.raises(CorpusError, match="SER_CORPORA"):
        corpora_root()
    (tmp_path / "datasets").mkdir()
    assert corpora_root().resolve() == tmp_path / "datasets"
    monkeypatch.setenv("SER_CORPORA", str(tmp_path / "elsewhere"))
    with pytest.raises(CorpusError, match="elsewhere"):
        corpora_root()


# --- the real recordings ---------------------------------------------------------------------------------------------


@pytest.mark.corpora
def test_the_real_corpora_are_read_completely():
    reading = read_corpora(corpora_root())
    counts = Counter(u.corpus for u in reading.utterances)
    assert {corpus: counts[corpus] for corpus in (*SPEECH_CORPORA, "ravdess_song")} == {
        "ravdess": 1440,
        "ravdess_song": 1012,
        "crema_d": 7435,
        "tess": 2800,
        "savee": 480,
    }
    speakers = {c: len({u.speaker for u in reading.utterances if u.corpus == c}) for c in CORPUS_NAMES}
    wanted = {"ravdess": 24, "ravdess_song": 23, "crema_d": 91, "tess": 2, "savee": 4}
    assert {corpus: speakers[corpus] for corpus in wanted} == wanted
    assert not [name for name in reading.unrecognised if name.split("/")[0] in CORPUS_NAMES]
    english = {key for key in EXCLUDED_RECORDINGS if key.startswith("crema_d/")}
    excluded = {Path(name).stem for name in reading.excluded if name.split("/")[0] in SPEECH_CORPORA}
    assert excluded == {key.split("/")[1] for key in english}


@pytest.mark.corpora
def test_the_real_corpora_in_other_languages_are_read_completely():
    reading = read_corpora(corpora_root())
    counts = Counter(u.corpus for u in reading.utterances)
    if not counts["hindi"]:
        pytest.skip("the corpora in other languages are not in SER_CORPORA")
    by_corpus = {c: [u for u in reading.utterances if u.corpus == c] for c in ("hindi", "emovo", "turev", "ased")}
    assert {c: len(found) for c, found in by_corpus.items()} == {
        "hindi": 2800,
        "emovo": 588,
        "turev": 1735,
        "ased": 622,
    }
    assert {c: len({u.speaker for u in found}) for c, found in by_corpus.items()} == {
        "hindi": 8,
        "emovo": 6,
        "turev": 6,
        "ased": 47,
    }
    assert set(Counter(u.emotion for u in by_corpus["hindi"]).values()) == {400}
    assert set(Counter(u.emotion for u in by_corpus["emovo"]).values()) == {84}
    assert {c: len({u.sentence for u in found}) for c, found in by_corpus.items()} == {
        "hindi": 10,
        "emovo": 14,
        "turev": 82,
        "ased": 2,
    }
    for found in by_corpus.values():
        for utterance in found:
            assert utterance.path.parent.name.lower() in (utterance.emotion, "anger", *utterance.speaker.split("-"))


def test_a_key_has_no_hyphen_which_divides_corpus_and_speaker():
    assert all(re.fullmatch(r"\w+", corpus) for corpus in CORPUS_NAMES)


@pytest.mark.corpora
def test_every_real_utterance_is_complete():
    for utterance in read_corpora(corpora_root()).utterances:
        assert utterance.emotion in EMOTIONS and utterance.sentence
        assert (utterance.sex == "unknown") == (utterance.corpus in ("hindi", "turev"))
        assert utterance.language == CORPUS_LANGUAGES[utterance.corpus]
        assert (utterance.age is not None) == (utterance.corpus in ("crema_d", "tess"))


@pytest.mark.corpora
def test_every_sentence_of_the_other_languages_is_spoken_in_every_emotion():
    spoken, emotions = {}, {}
    for u in read_corpora(corpora_root()).utterances:
        if u.language != "en":
            spoken.setdefault((u.corpus, u.sentence), set()).add(u.emotion)
            emotions.setdefault(u.corpus, set()).add(u.emotion)
    assert all(found == emotions[corpus] for (corpus, _), found in spoken.items())


# --- links and copies ------------------------------------------------------------------------------------------------


def test_linked_folders_are_read_once_and_loops_are_named(tmp_path):
    root = empty_files(tmp_path / "tree", "plain/03-01-03-01-01-01-05.opus")
    empty_files(tmp_path / "other", "03-01-05-01-01-01-06.m4a")
    (root / "linked").symlink_to("../other")
    (root / "plain" / "loop").symlink_to("../..")
    (root / "03-01-05-01-01-01-07.wav").symlink_to("gone.wav")
    (root / "03-01-05-01-01-01-08.wav").mkdir()
    found = read_corpora(root)
    assert [u.speaker for u in found.utterances] == ["ravdess-05", "ravdess-06"]
    assert set(found.excluded) == {"plain/loop", "03-01-05-01-01-01-07.wav"}


def test_a_root_of_links_only_is_read(tmp_path):
    empty_files(tmp_path / "other", "03-01-05-01-01-01-06.wav")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "linked").symlink_to("../other")
    assert len(read_corpora(tmp_path / "tree").utterances) == 1


@pytest.mark.parametrize("n_samples", [None, 0, 800])
def test_the_good_copy_of_a_doubled_recording_is_used(n_samples, tmp_path):
    first, second = tmp_path / "a" / "03-01-05-01-01-01-06.wav", tmp_path / "b" / "03-01-05-01-01-01-06.wav"
    write_wav(second, np.full(16_000, 0.1))
    if n_samples is None:
        empty_files(tmp_path, "a/03-01-05-01-01-01-06.wav")
    else:
        write_wav(first, np.full(n_samples, 0.1))
    found = read_corpora(tmp_path)
    assert [u.path for u in found.utterances] == [second]
    assert list(found.excluded) == ["a/03-01-05-01-01-01-06.wav"]
