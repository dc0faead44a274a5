"""What leaves the house answers as it does inside: ONNX files as in 32 bits within 1e-4, hub folders to the bit."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import ModelCard

from scripts import export as script
from ser_core import paths
from ser_core.audio.features import ConvolvedLogMel, FrontendConfig, LogMel
from ser_core.audio.io import SAMPLE_RATE, encode_wav, load_audio
from ser_core.audio.windows import pad_batch
from ser_core.data.utterances import CORPUS_NAMES
from ser_core.inference.prediction.predict import predict_windows
from ser_core.labels import EMOTIONS
from ser_core.models import onnx as export
from ser_core.models.checkpoint import Calibration, load_model
from ser_core.models.hub import HubModel
from ser_core.models.names import CheckpointError
from ser_core.models.onnx import (
    ONNX_EXAMPLE_CODE,
    ONNX_METADATA_KEY,
    ExportError,
    export_onnx,
    open_onnx,
)
from ser_core.models.registry import MODEL_FAMILIES
from ser_core.models.zoo.reduced import use_float32
from tests.models.zoo.test_pretrained import add, publish  # noqa: F401 - a fixture
from tests.models.zoo.test_zoo import SMALL, used

pytestmark = pytest.mark.slow

shipped = pytest.mark.skipif(
    not (paths.CHECKPOINTS / "prosonet" / "model.safetensors").is_file(), reason="needs prosonet"
)


@pytest.fixture(scope="module")
def prosonet(tmp_path_factory):
    """The exported folder of the model that answers first."""
    folder = tmp_path_factory.mktemp("exported") / "prosonet"
    assert script.main(["prosonet", "--format", "onnx", "--out", str(folder)]) == 0
    return folder


# --- onnx ------------------------------------------------------------------------------------------------------------


@shipped
@torch.inference_mode()
def test_the_file_answers_as_the_model_at_real_lengths(prosonet, speech):
    model, session = load_model("prosonet", "cpu"), open_onnx(prosonet / "model.onnx")
    use_float32(model)
    clips = [speech[20_000 : 20_000 + round(s * SAMPLE_RATE)] for s in (0.3, 1.0, 2.5)]
    longer = load_audio(paths.CHECKPOINTS.parent / "assets" / "samples" / "story.ogg")[: 10 * SAMPLE_RATE]
    for batch in ([clips[0]], [clips[1]], [clips[2]], [longer], clips):  # alone, then padded to one length
        waveform, n_samples = pad_batch(batch)
        embedding = model.embed(waveform, n_samples)
        found = session.run(["logits", "embedding"], {"waveform": waveform.numpy(), "n_samples": n_samples.numpy()})
        np.testing.assert_allclose(found[0], model.head(embedding).numpy(), atol=1e-4, rtol=0)
        np.testing.assert_allclose(found[1], embedding.numpy(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("case", SMALL)
def test_every_kind_of_network_over_spectra_can_be_written(case, tmp_path):
    model = used(case)
    model.name, model.calibration = case, Calibration()
    assert export_onnx(model, tmp_path / "x.onnx") < 1e-4


@pytest.mark.shipped
@pytest.mark.parametrize("name", ["whisper-light", "whisper-prosonet"])
def test_a_model_with_whispers_encoder_is_not_sent_to_another_exporter(name, tmp_path):
    with pytest.raises(ExportError, match=rf"^{name} is no network over spectrograms.* such as prosonet\.$"):
        export_onnx(load_model(name, "cpu"), tmp_path / "x.onnx")


def test_what_cannot_be_written_is_said_and_not_left_behind(tmp_path):
    model = used("simple-cnn")
    model.name, model.calibration, model.head = "bent", Calibration(), Bent()
    with pytest.raises(ExportError, match=r"bent .*special_i1.*--format hub"):
        export_onnx(model, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


class Bent(torch.nn.Module):
    """By a function that ONNX does not have."""

    def forward(self, x):
        return torch.special.i1(x)


def test_an_export_that_answers_otherwise_is_not_kept(new_model, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "max_onnx_difference", lambda model, session: 0.01)
    with pytest.raises(ExportError, match=r"small .*0\.01.* 0\.0001"):
        export_onnx(new_model(), tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_exporting_leaves_the_model_as_it_was(new_model, tmp_path):
    model = new_model()
    export_onnx(model, tmp_path / "x.onnx")
    assert type(model.logmel) is LogMel


@pytest.mark.parametrize("win_length", [512, 401])
def test_the_convolution_is_the_fourier_transform(win_length, speech):
    config = FrontendConfig(win_length=win_length, more_windows=(1024,))
    waveform = torch.tensor(speech[20_000:60_000])[None]
    torch.testing.assert_close(ConvolvedLogMel(config)(waveform), LogMel(config)(waveform), atol=2e-3, rtol=0)


@shipped
def test_the_file_says_what_an_answer_needs(prosonet):
    model = load_model("prosonet", "cpu")
    about = json.loads(open_onnx(prosonet / "model.onnx").get_modelmeta().custom_metadata_map[ONNX_METADATA_KEY])
    assert about["labels"] == list(EMOTIONS) and about["version"] == model.version
    assert about["temperature"] == model.calibration.temperature
    assert (about["window_s"], about["hop_s"], about["sample_rate"]) == (2.5, 1.25, 16_000)


@shipped
def test_the_code_in_the_folder_runs_and_answers_as_the_program(prosonet, tmp_path):
    """As a stranger would run it: no module of this program in reach."""
    assert ONNX_EXAMPLE_CODE in (prosonet / "README.md").read_text()
    samples = paths.CHECKPOINTS.parent / "assets" / "samples"
    waveform = load_audio(samples / "low_slow.ogg")[20_000:90_000]
    (tmp_path / "speech.wav").write_bytes(encode_wav(waveform))
    shutil.copy(prosonet / "model.onnx", tmp_path)
    done = subprocess.run(
        [sys.executable, "-I", "-c", ONNX_EXAMPLE_CODE], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    scores = json.loads(done.stdout)
    model = load_model("prosonet", "cpu")
    use_float32(model)
    windows = predict_windows(model, load_audio(tmp_path / "speech.wav"), model.config.window_s, speech=[(0.0, 4.375)])
    joint = np.exp(np.log(windows.probabilities).mean(0))
    assert scores == pytest.approx(dict(zip(EMOTIONS, joint / joint.sum(), strict=True)), abs=2e-4)


def test_a_model_of_scikit_learn_says_that_it_cannot(tmp_path, capsys, monkeypatch):
    model = MODEL_FAMILIES["egemaps"][0](MODEL_FAMILIES["egemaps"][1]())
    model.name = "svm"
    with pytest.raises(ExportError, match=r"svm .*scikit-learn"):
        export_onnx(model, tmp_path / "x.onnx")


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ExportError, match="onnxruntime: pip install onnx"):
        export.import_onnx_packages()


def test_the_program_itself_needs_no_onnx():
    code = "import sys, ser_core, ser_core.models.onnx; sys.exit('onnx' in sys.modules or 'onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=paths.CHECKPOINTS.parent).returncode == 0


# --- hub -------------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def test_there_and_back_is_equal_to_the_bit(checkpoints, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert script.main(["small", "--format", "hub", "--out", str(tmp_path / "out")]) == 0
    waveform = 0.1 * torch.randn(2, 20_000, generator=torch.Generator().manual_seed(0))
    expected = load_model("small", "cpu")(waveform)
    first = HubModel.from_pretrained(tmp_path / "out")
    first.save_pretrained(tmp_path / "again")
    again = HubModel.from_pretrained(str(tmp_path / "again"))
    for model in (first, again):
        assert torch.equal(model(waveform), expected) and not model.training
        assert model.network.calibration == Calibration(1.5, 0.1)
    assert torch.equal(load_model(tmp_path / "out", "cpu")(waveform), expected)
    config = json.loads((tmp_path / "again" / "config.json").read_text())
    assert config["training"] == {"protocol": "speaker-independent", "fold": "0"}


def test_a_checkpoint_without_a_record_of_its_training_is_exported(checkpoints, tmp_path):
    path = checkpoints / "small" / "config.json"
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "training"}))
    assert script.main(["small", "--format", "hub", "--out", str(tmp_path / "out")]) == 0
    assert HubModel.from_pretrained(tmp_path / "out").training_record == {}
    assert ModelCard.load(tmp_path / "out" / "README.md").data.language is None


def test_weights_that_are_missing_are_refused(checkpoints, tmp_path):
    """The mixin itself would fill them with random numbers."""
    from safetensors.torch import load_file, save_file

    script.main(["small", "--format", "hub", "--out", str(tmp_path / "out")])
    weights = load_file(tmp_path / "out" / "model.safetensors")
    weights.pop("norm.weight")
    save_file(weights, tmp_path / "out" / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.safetensors .*norm\.weight"):
        HubModel.from_pretrained(tmp_path / "out")


def test_a_pickle_is_not_read(checkpoints, tmp_path):
    script.main(["small", "--format", "hub", "--out", str(tmp_path / "out")])
    (tmp_path / "out" / "model.safetensors").rename(tmp_path / "out" / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        HubModel.from_pretrained(tmp_path / "out")


@shipped
def test_the_header_holds_what_was_measured(tmp_path):
    assert script.main(["prosonet", "--format", "hub", "--out", str(tmp_path / "out")]) == 0
    card = ModelCard.load(tmp_path / "out" / "README.md")
    metrics = json.loads((paths.CHECKPOINTS / "prosonet" / "metrics.json").read_text())
    header = card.data.to_dict()
    assert header["pipeline_tag"] == "audio-classification" and header["language"] == ["en"]
    assert yaml.safe_load(card.data.to_yaml())["model-index"][0]["name"] == "prosonet"
    found = {(r.dataset_name, r.metric_type): (r.metric_value, r.dataset_config) for r in card.data.eval_results}
    part = f"{metrics['protocol']}, fold {metrics['fold']}"
    assert found == {
        (CORPUS_NAMES[corpus], kind): (scores[key], part)
        for corpus, scores in metrics["corpora"].items()
        for key, kind in (("uar", "recall"), ("accuracy", "accuracy"))
    }
    assert (paths.CHECKPOINTS / "prosonet" / "README.md").read_text() in card.content


def test_a_card_without_evaluation_has_languages_and_licences_of_the_training(checkpoints, tmp_path):
    path = checkpoints / "small" / "config.json"
    config = json.loads(path.read_text())
    start = {"protocol": "left-out", "fold": "savee"}
    config["training"] = {"protocol": "speaker-independent", "fold": "0", "start_trained_on": [start]}
    path.write_text(json.dumps(config))
    assert script.main(["small", "--format", "hub", "--out", str(tmp_path / "out")]) == 0
    card = ModelCard.load(tmp_path / "out" / "README.md")
    assert card.data.language == ["am", "en", "hi", "it", "tr"]
    assert f"#{card.data.license_link.partition('#')[2]}" == "#licence" and "## Licence" in card.content
    assert "CREMA-D (ODbL 1.0), EMOVO (non-commercial)" in card.content and "SAVEE (research only)" in card.content


def test_an_added_model_leaves_as_a_stock_folder_with_another_licence(publish, checkpoints, tmp_path, speech):  # noqa: F811
    import transformers

    assert add(publish()) == 0
    assert script.main(["theirs", "--format", "hub", "--out", str(tmp_path / "out")]) == 0
    stock = transformers.pipeline("audio-classification", model=str(tmp_path / "out"), device="cpu")
    assert {answer["label"] for answer in stock(speech[16_000:32_000].copy())} == {"neu", "hap", "ang", "sad"}
    header = ModelCard.load(tmp_path / "out" / "README.md").data
    assert header["license_name"] == "as-published" and not header.eval_results and not header.language
    with pytest.raises(ExportError, match="optimum-cli export onnx"):
        export_onnx(load_model("theirs", "cpu"), tmp_path / "x.onnx")


# --- command line ----------------------------------------------------------------------------------------------------


def test_the_command_tells_what_is_wrong(checkpoints, tmp_path, capsys):
    assert script.main(["gone", "--format", "hub", "--out", str(tmp_path / "out")]) == 2
    assert "other, small" in capsys.readouterr().err
    assert script.main(["small", "--format", "hub", "--out", str(checkpoints)]) == 2
    assert "is not empty" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert script.main(["small", "--format", "hub", "--out", str(tmp_path / "file" / "x")]) == 2
    assert f"{tmp_path / 'file' / 'x'} cannot be read or written" in capsys.readouterr().err


def test_a_refused_export_leaves_no_folder(checkpoints, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(MODEL_FAMILIES["resonet"][0], "exportable", False)
    assert script.main(["small", "--format", "onnx", "--out", str(tmp_path / "out")]) == 2
    assert "no network over spectrograms" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_the_command_compares_the_speed_of_both(checkpoints, tmp_path, capsys):
    assert script.main(["small", "--format", "onnx", "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out.partition(" MB. ")[2].strip()
    assert "takes PyTorch" in told and told.endswith("times as fast.")
    assert told in (tmp_path / "out" / "README.md").read_text()
