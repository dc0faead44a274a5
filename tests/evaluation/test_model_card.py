"""The model card of a pretrained classifier."""

from ser_core.evaluation.model_card import render_pretrained_card


def test_a_pretrained_card_warns_that_nothing_was_evaluated():
    card = render_pretrained_card("x", "lab/x", 12_345, "hap is happy.")
    assert "lab/x" in card and "12,345 parameters" in card and "hap is happy" in card
    assert "Not evaluated here" in card and "not calibrated" in card
