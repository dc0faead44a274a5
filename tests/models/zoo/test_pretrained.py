"""A classifier of transformers, as its own library saves it, becomes one of the models."""

import json
import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from scripts import add_model
from scripts.add_model import parse_map
from ser_core.inference.prediction.predict import predict
from ser_core.labels import EMOTIONS
from ser_core.models import checkpoint
from ser_core.models.adapter import AdapterError, last_layer
from ser_core.models.checkpoint import load_model
from ser_core.models.names import available_models
from ser_core.models.zoo.pretrained.classifier import TRANSFORMERS_CLASSES
from ser_core.models.zoo.pretrained.labels import labels_by_output, map_labels_to_emotions
from ser_core.models.zoo.pretrained.loading import load_pretrained_classifier
from tests.make_page import open_page, texts, upload, wav

LABELS = ("neu", "hap", "ang", "sad")
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": (8,) * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 12,
}


@pytest.fixture
def publish(tmp_path):
    """A function that saves a tiny random classifier as transformers does: its folder."""
    import transformers  # slow to import, for each worker that collects the tests

    def save(kind="wav2vec2", labels=LABELS, **config):
        torch.manual_seed(0)
        names = dict(enumerate(labels))
        made = transformers.AutoConfig.for_model(
            kind, **SIZES | config, id2label=names, label2id={name: i for i, name in names.items()}
        )
        folder = tmp_path / f"published-{kind}"
        getattr(transformers, TRANSFORMERS_CLASSES[kind])(made).eval().save_pretrained(folder)
        transformers.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True).save_pretrained(folder)
        return folder

    return save


def edit(path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def add(folder, *more: str) -> int:
    return add_model.main([str(folder), "--as", "theirs", *more])


@pytest.mark.slow
@pytest.mark.parametrize("kind", TRANSFORMERS_CLASSES)
@pytest.mark.parametrize("config", [{}, {"use_weighted_layer_sum": True, "feat_extract_norm": "layer"}], ids=str)
def test_it_answers_as_the_stock_pipeline(publish, checkpoints, speech, kind, config):
    import transformers

    folder = publish(kind, **config)
    assert add(folder) == 0
    model, clip = load_model("theirs", "cpu"), speech[16_000:48_000]
    for source in (folder, checkpoints / "theirs"):  # the checkpoint is a stock folder too
        stock = transformers.pipeline("audio-classification", model=str(source), device="cpu", top_k=None)
        expected = {answer["label"]: answer["score"] for answer in stock(clip.copy())}
        with torch.inference_mode():
            found = dict(zip(EMOTIONS, model(torch.tensor(clip)[None]).softmax(-1)[0].tolist(), strict=True))
        told = [found[emotion] for emotion in ("neutral", "happy", "angry", "sad")]
        assert told == pytest.approx([expected[label] for label in LABELS], abs=1e-5)
        assert max(found[emotion] for emotion in ("calm", "fear", "disgust", "surprise")) < 1e-5


@torch.inference_mode()
def test_padding_and_order_change_no_answer(publish, speech):
    model = load_pretrained_classifier(str(publish()), {})
    lengths = torch.tensor([20_000, 300, 20_000, 9_000])
    batch = torch.tensor(np.stack([speech[16_000:36_000]] * 4)) * (torch.arange(20_000) < lengths[:, None])
    alone = torch.cat([model(clip[None, :n]) for clip, n in zip(batch, lengths.tolist(), strict=True)])
    torch.testing.assert_close(model(batch, lengths), alone, atol=1e-5, rtol=0)
    torch.testing.assert_close(model(batch[[3, 0]], lengths[[3, 0]]), alone[[3, 0]], atol=1e-5, rtol=0)
    assert model(torch.zeros(1, 1)).isfinite().all()


@pytest.mark.slow
def test_the_app_lists_it_and_says_what_is_not_known_of_it(publish, checkpoints, speech, capsys):
    assert add(publish()) == 0
    assert "never measured" in capsys.readouterr().out and "theirs" in available_models()
    prediction = predict(load_model("theirs", "cpu"), speech)
    assert sum(prediction.probabilities.values()) == pytest.approx(1) and prediction.abstain
    page = open_page("models")
    page.query_params.update({"model": "theirs", "show": "Model card"})
    shown = " ".join(texts(page.run()).split())
    assert "Not evaluated here" in shown and "not calibrated" in shown and "hap is happy" in shown
    page = open_page("workspace")
    page.query_params["model"] = "theirs"
    shown = texts(upload(page.run(), "x.wav", wav(speech))).replace("\\", "")
    assert "Made elsewhere: not calibrated here. Its labels: neu is neutral" in shown
    assert "Not evaluated yet." in shown


def test_known_synonyms_of_labels_are_mapped():
    labels = ["Angry", "disgust", "FEARFUL", "happiness", "neutral", "sadness", "surprised", "calm"]
    expected = ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise", "calm"]
    assert list(map_labels_to_emotions(labels, {}).values()) == expected


@pytest.mark.parametrize(
    "label", ["disappointed", "distressed", "surrender", "sadistic", "dissatisfied", "calculating"]
)
def test_a_label_is_never_guessed_from_its_first_letters(label):
    with pytest.raises(ValueError, match=f"--map {label}=none"):
        map_labels_to_emotions(["happy", label], {})
    assert map_labels_to_emotions(["happy", label], parse_map([f"{label}=none"])) == {"happy": "happy", label: None}
    assert map_labels_to_emotions(["happy", label], parse_map([f"{label}=disgust"]))[label] == "disgust"


def test_the_order_of_labels_in_a_config_says_nothing():
    labels = {2: "happy", 0: "sad", 10: "calm", 1: "angry", **{n: f"x{n}" for n in range(3, 10)}}
    assert labels_by_output(labels) == ["sad", "angry", "happy", *(f"x{n}" for n in range(3, 10)), "calm"]
    assert labels_by_output({str(number): label for number, label in labels.items()})[-1] == "calm"


def test_labels_that_do_not_fit_are_named(subtests):
    for labels, given, cause in [
        (["hap", "LABEL_1", "bored"], {}, r"LABEL_1, bored.*--map LABEL_1=none bored=none"),
        (["hap"], {"joyful": "happy"}, r"joyful.*hap"),
        (["hap"], {"hap": "glad"}, r"glad.*neutral"),
        (["x", "y"], {"x": None, "y": None}, r"labels"),
    ]:
        with subtests.test(cause=cause), pytest.raises(ValueError, match=cause):
            map_labels_to_emotions(labels, given)


@torch.inference_mode()
def test_a_label_left_apart_lowers_the_certainty_and_is_told(publish, checkpoints, tmp_path, speech):
    (tmp_path / "map.json").write_text('{"other": null, "excited": "happy"}')
    folder = publish(labels=("other", "excited", "hap", "sad"))
    assert add(folder) == 2 and "theirs" not in available_models()
    assert add(folder, "--labels", str(tmp_path / "map.json")) == 0
    model, clip = load_model("theirs", "cpu"), torch.tensor(speech[16_000:48_000])[None]
    theirs = model.classifier(model.embed(clip)).softmax(-1)[0]
    ours = dict(zip(EMOTIONS, model(clip).softmax(-1)[0], strict=True))
    assert ours["happy"] == pytest.approx((theirs[1] + theirs[2] + theirs[0] / 8).item(), abs=1e-4)
    assert ours["calm"] == pytest.approx(theirs[0].item() / 8, abs=1e-4)
    assert "none of them: other" in model.note and "It has no label for neutral, calm, angry" in model.note


def without(folder, name: str) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights[name]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def with_more(folder) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {"classifier.dense.weight": torch.zeros(3)}, folder / "model.safetensors", {"format": "pt"})


def as_pickle(folder) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (lambda f: without(f, "classifier.weight"), "1 weights.*missing.*classifier.weight"),
        (with_more, r"1 weights.*classifier\.dense\.weight"),
        (as_pickle, "model.safetensors"),
        (lambda f: edit(f / "config.json", model_type="whisper"), "whisper.*wav2vec2"),
        (lambda f: edit(f / "config.json", model_type="x", auto_map={"AutoConfig": "evil.py"}), " x; .*wav2vec2"),
        (lambda f: edit(f / "config.json", problem_type="regression"), "regression"),
        (lambda f: edit(f / "config.json", hidden_size=64), "model.safetensors"),
        (lambda f: edit(f / "preprocessor_config.json", sampling_rate=8000), "8000 Hz.* 16000"),
        (lambda f: (f / "preprocessor_config.json").unlink(), "cannot be read"),
        (lambda f: (f / "config.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "config.json").write_text("[]"), "config.json"),
    ],
)
def test_what_is_not_whole_is_refused(publish, checkpoints, capsys, spoil, cause):
    folder = publish()
    spoil(folder)
    assert add(folder) == 2 and "theirs" not in available_models()
    error = capsys.readouterr().err
    assert re.search(cause, error) and "Traceback" not in error


def test_a_file_is_no_model(publish, checkpoints, capsys):
    """transformers would open it as weights, pickled ones too."""
    assert add(publish() / "config.json") == 2 and "folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../out", "a/b", "", ".x", "small", "x" * 99])
def test_a_name_that_is_taken_or_none_is_refused(publish, checkpoints, capsys, name):
    before = sorted(checkpoints.parent.rglob("*"))
    assert add_model.main([str(publish()), "--as", name]) == 2
    assert capsys.readouterr().err
    assert [path for path in sorted(checkpoints.parent.rglob("*")) if "published" not in str(path)] == before


def test_nothing_is_fetched_unless_asked(checkpoints, capsys):
    assert add("nobody/nothing") == 2
    assert "--download" in capsys.readouterr().err
    assert checkpoint.available_models() == ("other", "small")


def test_it_learns_no_voice_and_says_so(publish):
    model = load_pretrained_classifier(str(publish()), {})
    model.name = "theirs"
    with pytest.raises(AdapterError, match="theirs"):
        last_layer(model)
