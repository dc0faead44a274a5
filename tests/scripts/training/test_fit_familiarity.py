"""scripts.fit_familiarity: what it cannot fit."""

import numpy as np
import torch

from scripts import fit_familiarity
from ser_core.models.checkpoint import Calibration, save_model
from ser_core.models.ood import fit_neighbour_reference
from ser_core.models.zoo.whisper.config import WhisperConfig
from ser_core.models.zoo.whisper.encoder import WHISPER_BASE
from ser_core.models.zoo.whisper.model import Whisper

TINY = WHISPER_BASE | {"d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 32}


def test_a_checkpoint_without_a_record_of_its_training_is_refused(checkpoints, capsys):
    torch.manual_seed(0)
    model = Whisper(WhisperConfig(encoder="", backbone=TINY, layers=(1, 2), embedding_dim=12))
    known = np.random.default_rng(0).standard_normal((40, 12)).astype(np.float32)
    detector = fit_neighbour_reference(known, np.repeat(["tess", "savee"], 20)).with_reference_distances(np.ones(3))
    save_model(model, checkpoints / "listener", "whisper", Calibration(), {}, detector)
    assert fit_familiarity.main(["listener"]) == 2
    assert "listener has no record of its training clips" in capsys.readouterr().err
