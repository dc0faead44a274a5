"""scripts.fit_offsets: which checkpoints have offsets of their own."""

import pytest

from scripts import fit_offsets


@pytest.mark.parametrize("name", ["prosonet", "whisper-prosonet"])
def test_a_model_without_offsets_of_its_own_is_told_who_has_them(capsys, name):
    assert fit_offsets.main([name]) == 2
    assert f"{name} is no head on a frozen encoder: only those have offsets" in capsys.readouterr().err
