"""ESC-50 as noise: parts by fold, classes in both trees, human sounds."""

from collections import Counter

import pytest

from ser_core.data.corpora import corpora_root
from ser_core.data.noises import HUMAN_NOISE_CLASSES, NOISE_CLASSES, read_noises
from ser_core.data.utterances import CorpusError
from tests.make_corpus import empty_files


def test_the_first_digit_is_the_fold(tmp_path):
    names = [f"esc50/101_dog/{fold}-100032-A.opus" for fold in range(1, 6)]
    empty_files(tmp_path, *names)
    assert [noise.fold for noise in read_noises(tmp_path, "train")] == [1, 2, 3, 4]
    assert [noise.fold for noise in read_noises(tmp_path, "test")] == [5]


def test_both_trees_give_the_same_classes(tmp_path):
    empty_files(tmp_path, "a/301_crying_baby/1-1-A.opus", "b/101_dog/1-2-B.opus")
    empty_files(tmp_path, "ESC-50/audio/1-1-A-20.wav", "ESC-50/audio/1-2-B-0.wav", "ESC-50/audio/1-2-B-50.wav")
    assert [noise.name for noise in read_noises(tmp_path / "a", "train")] == ["crying_baby"]
    assert Counter(n.name for n in read_noises(tmp_path, "train")) == {"crying_baby": 2, "dog": 2}
    assert [noise.is_human for noise in read_noises(tmp_path, "train")] == [False, False, True, True]


def test_speech_is_no_noise(tmp_path):
    empty_files(tmp_path, "101_dog/1-1-A.opus", "crema_d/1001_DFA_ANG_XX.opus", "101_dog/notes.wav", "1-1-A.wav")
    assert len(read_noises(tmp_path, "train")) == 1


def test_a_folder_without_noise_and_an_unknown_part(tmp_path):
    with pytest.raises(CorpusError, match="ESC-50"):
        read_noises(tmp_path, "train")
    with pytest.raises(ValueError, match="train, test"):
        read_noises(tmp_path, "dev")


def test_fifty_classes_of_which_ten_are_human():
    assert len(set(NOISE_CLASSES)) == 50 and len(HUMAN_NOISE_CLASSES) == 10
    assert {"laughing", "coughing", "crying_baby", "sneezing"} <= set(HUMAN_NOISE_CLASSES)


@pytest.mark.corpora
def test_the_real_sounds_are_read_completely():
    try:
        train, test = (read_noises(corpora_root(), part) for part in ("train", "test"))
    except CorpusError:
        pytest.skip("ESC-50 is not in SER_CORPORA")
    counts = Counter(noise.name for noise in (*train, *test))
    assert set(counts) == set(NOISE_CLASSES)
    assert not {n.path for n in train} & {n.path for n in test}
    for noise in (*train, *test):
        assert noise.is_human == noise.path.parent.name.startswith("3")
