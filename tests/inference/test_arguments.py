"""What the public functions do with arguments of other types and shapes: the right result, or a sentence."""

from pathlib import Path

import numpy as np
import pytest
import torch

import ser_core
from ser_core import inference

OF_ONE = {
    "predict": ser_core.predict,
    "predict_windows": ser_core.predict_windows,
    "recording_reference": inference.recording_reference,
    "speech_segments": lambda model, waveform: ser_core.speech_segments(waveform),
    "measure_quality": lambda model, waveform: ser_core.measure_quality(waveform),
    "predict_batch": lambda model, waveform: ser_core.predict_batch(model, [waveform]),
    "embed": lambda model, waveform: ser_core.embed(model, [waveform]),
    "speaker_reference": lambda model, waveform: ser_core.speaker_reference(model, [waveform]),
    "collection_reference": lambda model, waveform: ser_core.collection_reference(model, [waveform] * 3),
}
OF_MANY = ("predict_batch", "embed", "speaker_reference", "collection_reference")
OF_A_MODEL = ("predict", "predict_windows", "recording_reference", *OF_MANY)


def with_sample(waveform: np.ndarray, value: float) -> np.ndarray:
    changed = waveform.copy()
    changed[100] = value
    return changed


EQUAL = {
    "float64": lambda x: x.astype(np.float64),
    "big endian": lambda x: x.astype(">f4"),
    "read-only": lambda x: np.frombuffer(x.tobytes(), np.float32),
    "not contiguous": lambda x: np.repeat(x, 2)[::2],
    "reversed": lambda x: x[::-1].copy()[::-1],
}
REFUSED = {
    "path": (lambda x: "a.wav", "not of type str. Read a file with load_audio"),
    "list": (lambda x: x.tolist(), "of a list or a tensor"),
    "integers": (lambda x: (x * 32767).astype(np.int16), "Divide 16-bit integers by 32768"),
    "(2, n)": (lambda x: np.stack([x, x]), "Average its channels"),
    "(n, 2)": (lambda x: np.stack([x, x], 1), "Average its channels"),
    "nan": (lambda x: with_sample(x, np.nan), "all samples finite"),
    "infinite": (lambda x: with_sample(x, np.inf), "all samples finite"),
    "tensor": (torch.from_numpy, "numpy.asarray"),
    "masked": (lambda x: np.ma.masked_array(x, x > 0), "not of type MaskedArray"),
    "number": (lambda x: np.float32(1), "not of type float32"),
    "none": (lambda x: None, "not of type NoneType"),
    "recording": (lambda x: ser_core.Recording, "not of type type"),
}


def values(result) -> np.ndarray:
    """The numbers of a result, to be compared."""
    found = result[0] if isinstance(result, list) else result
    for name in ("probabilities", "embedding", "level_dbfs"):
        found = getattr(found, name, found)
    return np.array([*found.values()] if isinstance(found, dict) else [] if found is None else found, float)


@pytest.fixture
def recording(speech) -> np.ndarray:
    return speech.copy()


@pytest.mark.parametrize("function", OF_ONE.values(), ids=OF_ONE)
def test_any_array_of_floats_gives_the_same(function, enrolling_model, recording):
    expected = values(function(enrolling_model, recording))
    for convert in EQUAL.values():
        np.testing.assert_allclose(values(function(enrolling_model, convert(recording))), expected, rtol=1e-6)


@pytest.mark.parametrize("function", OF_ONE.values(), ids=OF_ONE)
def test_what_is_no_waveform_is_refused_with_the_cure(function, enrolling_model, recording):
    for convert, message in REFUSED.values():
        with pytest.raises(ser_core.AudioError, match="A waveform") as refused:
            function(enrolling_model, convert(recording))
        assert message in str(refused.value)


@pytest.mark.parametrize("name", OF_A_MODEL)
def test_an_empty_recording_is_refused(name, enrolling_model):
    with pytest.raises(ser_core.AudioError, match="at least one sample"):
        OF_ONE[name](enrolling_model, np.zeros(0, np.float32))


@pytest.mark.parametrize("name", OF_MANY)
@pytest.mark.parametrize(
    "convert", [lambda x: x, lambda x: x[None], lambda x: iter([x]), lambda x: "a.wav", lambda x: 1]
)
def test_several_recordings_are_a_list(name, convert, enrolling_model, recording):
    with pytest.raises(ser_core.AudioError, match=r"Waveforms are a list.*Put a single recording into a list"):
        getattr(ser_core, name)(enrolling_model, convert(recording))


@pytest.mark.parametrize("name", OF_A_MODEL)
@pytest.mark.parametrize("given", ["whisper", Path("whisper"), None, np.zeros(9, np.float32)], ids=repr)
def test_what_is_no_model_is_refused(name, given, recording):
    with pytest.raises(TypeError, match=r"The model comes first, from load_model\(name\), not an object of type"):
        OF_ONE[name](given, recording)


@pytest.mark.parametrize(
    "segments",
    ["0-1", [(0.0, np.nan)], [(-1.0, 0.5)], [(0.0, 1e6)], [(2.0, 1.0)], [(1, 2, 3)], [(2, 3), (0, 1)], object()],
)
def test_speech_of_another_recording_is_refused(segments, enrolling_model, recording):
    for function in (ser_core.predict, ser_core.predict_windows):
        with pytest.raises(ValueError, match=r"give speech_segments\(waveform\), or nothing"):
            function(enrolling_model, recording, speech=segments)


@pytest.mark.parametrize("given", ["folder", ["a.wav"], None, object()])
def test_only_utterances_are_evaluated(given, enrolling_model):
    with pytest.raises(TypeError, match=r"read_corpora\(folder\)\.utterances"):
        ser_core.evaluate(enrolling_model, given)
    with pytest.raises(TypeError, match="The model comes first"):
        ser_core.evaluate("whisper", [])


@pytest.fixture
def double_precision():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", OF_A_MODEL)
def test_another_default_type_of_torch_is_said(name, double_precision, checkpoints, enrolling_model, recording):
    for call in (lambda: ser_core.load_model("small"), lambda: OF_ONE[name](enrolling_model, recording)):
        with pytest.raises(ValueError, match=r"torch.float64.*call torch.set_default_dtype\(torch.float32\)"):
            call()


def test_speech_is_found_whatever_the_default_type_of_torch(double_precision, recording):
    found = ser_core.speech_segments(recording)
    torch.set_default_dtype(torch.float32)
    assert found == ser_core.speech_segments(recording) and found
