"""Each augmentation does what its parameter says, changes what the model sees, and does nothing when told nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from ser_core.audio.features import FrontendConfig, LogMel
from ser_core.training.augment.draw import Augment, AugmentConfig
from ser_core.training.augment.spectra import (
    automatic_gain_control,
    mask_spectrum,
    mixup,
    noise_gate,
    tilt_spectrum,
    warp_frequency,
)
from ser_core.training.augment.waveforms import (
    add_noise,
    apply_gain,
    babble_noise,
    change_speed,
    coloured_noise,
    limit_band,
    reverberate,
    shift_time,
)

RATE = 16_000
N_SAMPLES = torch.tensor([16_000, 9000])
N_FRAMES = torch.tensor([63, 36])
NEUTRAL = AugmentConfig(speed=0, gain_db=0, noise_chance=0, shift_s=0, warp=0, tilt=0, n_masks=0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def both(value: float) -> Tensor:
    return torch.full((2,), value)


@pytest.fixture
def waveform(speech) -> Tensor:
    """Two clips of speech, the second one shorter, shape = (2, 16000)."""
    rows = torch.tensor(speech[20_000:52_000]).view(2, -1).clone()
    rows[1, N_SAMPLES[1] :] = 0
    return rows


@pytest.fixture
def features(waveform) -> Tensor:
    """Normalised features with a delta channel."""
    return LogMel(FrontendConfig(deltas=1))(waveform, N_SAMPLES)


ON_WAVEFORMS = {
    "speed": lambda x, n, amount: change_speed(x, n, both(1 + 0.2 * amount)),
    "noise": lambda x, n, amount: (
        add_noise(x, n, both(10.0 if amount else torch.inf), coloured_noise((2, 16_000), both(1.0), generator())),
        n,
    ),
    "gain": lambda x, n, amount: (apply_gain(x, both(6.0 * amount)), n),
    "room": lambda x, n, amount: (
        reverberate(x, n, both(4000.0), both(1.0 * amount), torch.randn((2, 6000), generator=generator())),
        n,
    ),
    "shift": lambda x, n, amount: shift_time(x, n, torch.tensor([3200, 1600]) * amount),
}
ON_FEATURES = {
    "warp": lambda f, amount: warp_frequency(f, both(1 + 0.1 * amount)),
    "tilt": lambda f, amount: tilt_spectrum(f, both(0.3 * amount)),
    "gain control": lambda f, amount: automatic_gain_control(f, N_FRAMES, both(0.8 * amount)),
    "noise suppression": lambda f, amount: noise_gate(f, both(0.0), both(0.7 * amount)),
    "frequency mask": lambda f, amount: mask_spectrum(f, torch.tensor([10, 20]), torch.tensor([5, 8]) * amount, dim=2),
    "time mask": lambda f, amount: mask_spectrum(f, torch.tensor([3, 9]), torch.tensor([6, 4]) * amount, dim=3),
}


# --- every function --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ON_WAVEFORMS)
def test_a_waveform_function_changes_what_the_model_sees(name, waveform):
    logmel = LogMel(FrontendConfig(normalise=name != "gain"))  # normalised features do not know the level at all
    before = logmel(waveform, N_SAMPLES)
    changed, lengths = ON_WAVEFORMS[name](waveform, N_SAMPLES, 1)
    after = logmel(changed, lengths)
    width = min(before.shape[-1], after.shape[-1])
    for one, other in zip(before, after, strict=True):
        assert (one[..., :width] - other[..., :width]).abs().mean() > 0.05


@pytest.mark.parametrize("name", ON_WAVEFORMS)
def test_a_waveform_function_does_nothing_when_told_nothing(name, waveform):
    same, lengths = ON_WAVEFORMS[name](waveform, N_SAMPLES, 0)
    torch.testing.assert_close(same, waveform, rtol=0, atol=0)
    assert lengths.tolist() == N_SAMPLES.tolist()


@pytest.mark.parametrize("name", ON_WAVEFORMS)
def test_a_waveform_function_keeps_the_padding_empty_and_the_clips_apart(name, waveform):
    changed, lengths = ON_WAVEFORMS[name](waveform, N_SAMPLES, 1)
    assert not changed[1, lengths[1] :].any()
    other = waveform.clone()
    other[0] = 0.5
    assert torch.equal(ON_WAVEFORMS[name](other, N_SAMPLES, 1)[0][1], changed[1])


@pytest.mark.parametrize("name", ON_FEATURES)
def test_a_feature_function_changes_what_the_model_sees(name, features):
    assert ((ON_FEATURES[name](features, 1) - features).abs().mean((1, 2, 3)) > 0.01).all()


@pytest.mark.parametrize("name", ON_FEATURES)
def test_a_feature_function_does_nothing_when_told_nothing(name, features):
    torch.testing.assert_close(ON_FEATURES[name](features, 0), features, rtol=0, atol=0)


# --- each function ---------------------------------------------------------------------------------------------------


def strongest_hz(waveform: Tensor) -> float:
    spectrum = torch.fft.rfft(waveform * torch.hann_window(len(waveform))).abs()
    return float(spectrum.argmax()) * RATE / len(waveform)


def test_speed_changes_length_and_pitch_together(subtests):
    for rate in [0.8, 1.0, 1.25]:
        with subtests.test(rate=rate):
            tone = torch.sin(2 * np.pi * 400 * torch.arange(RATE) / RATE)[None]
            faster, lengths = change_speed(tone, torch.tensor([RATE]), torch.tensor([rate]))
            assert lengths.item() == faster.shape[1] == pytest.approx(RATE / rate, abs=1)
            assert strongest_hz(faster[0]) == pytest.approx(400 * rate, abs=1.5)


def test_each_clip_has_its_own_speed(waveform):
    _, lengths = change_speed(waveform, N_SAMPLES, torch.tensor([0.5, 2.0]))
    assert lengths.tolist() == [32_000, 4500]


def test_the_shortest_clip_survives_the_highest_speed():
    faster, lengths = change_speed(torch.ones(1, 1), torch.tensor([1]), torch.tensor([1.15]))
    assert lengths.tolist() == [1] and faster.shape == (1, 1)


def test_noise_has_the_signal_to_noise_ratio_asked_for(waveform, subtests):
    for snr_db in [0.0, 10.0, 30.0]:
        with subtests.test(snr_db=snr_db):
            noise = coloured_noise(tuple(waveform.shape), both(1.0), generator())
            added = add_noise(waveform, N_SAMPLES, both(snr_db), noise) - waveform
            for clip, extra, n in zip(waveform, added, N_SAMPLES, strict=True):
                measured_db = 10 * torch.log10(clip[:n].square().mean() / extra[:n].square().mean())
                assert measured_db.item() == pytest.approx(snr_db, abs=0.01)
                assert not extra[n:].any()


def test_noise_on_silence_stays_silence():
    silence = torch.zeros(1, 100)
    assert not add_noise(silence, torch.tensor([100]), torch.tensor([10.0]), torch.ones(1, 100)).any()


def test_noise_colours_fall_with_frequency_as_asked():
    exponent = torch.tensor([0.0, 1.0, 2.0])
    power = torch.fft.rfft(coloured_noise((3, 2**16), exponent, generator())).abs().square()
    octaves = [power[:, 2**k : 2 ** (k + 1)].mean(1).log2() for k in range(4, 14)]
    slope = torch.stack(octaves).diff(dim=0).mean(0)
    torch.testing.assert_close(slope, -exponent, atol=0.15, rtol=0)


def test_gain_is_in_decibels(waveform):
    torch.testing.assert_close(apply_gain(waveform, both(20.0)), 10 * waveform)


def test_shift_puts_silence_before_the_clip_and_cuts_nothing(waveform):
    shifted, lengths = shift_time(waveform, N_SAMPLES, torch.tensor([100, 3000]))
    for clip, moved, n, shift in zip(waveform, shifted, N_SAMPLES, (100, 3000), strict=True):
        assert not moved[:shift].any()
        torch.testing.assert_close(moved[shift : shift + n], clip[:n])
    assert lengths.tolist() == [16_100, 12_000]


def test_warp_moves_a_band_by_its_factor(subtests):
    for factor in [0.9, 1.0, 1.1]:
        with subtests.test(factor=factor):
            bands = torch.zeros(1, 1, 64, 3)
            bands[:, :, 33] = 1.0
            centre = (warp_frequency(bands, torch.tensor([factor]))[0, 0, :, 0] * torch.arange(64)).sum()
            total = warp_frequency(bands, torch.tensor([factor])).sum() / 3
            assert (centre / total).item() == pytest.approx(33 / factor, abs=0.5)


def test_tilt_turns_the_spectrum_around_its_middle(features):
    added = tilt_spectrum(features, torch.tensor([0.3, -0.2]), n_deltas=features.shape[1] - 1) - features
    assert added[0, 0, 0, 0].item() == pytest.approx(-0.3, abs=1e-5)
    assert added[0, 0, -1, 0].item() == pytest.approx(0.3, abs=1e-5)
    assert added[1, 0, -1, 5].item() == pytest.approx(-0.2, abs=1e-5)
    assert not added[:, 1:].any()  # a constant offset has no slope in time
    every = tilt_spectrum(features, torch.tensor([0.3, -0.2])) - features
    torch.testing.assert_close(every[:, 1], added[:, 0], atol=1e-5, rtol=0)  # the same line on each window length


@pytest.mark.parametrize("dim", [2, 3])
def test_a_mask_is_the_stripe_asked_for_and_nothing_else(dim):
    start, width = torch.tensor([0, 4]), torch.tensor([3, 2])
    ones = torch.ones(2, 3, 6, 8)
    masked = mask_spectrum(ones, start, width, dim).movedim(dim, 1)
    for row, first, size in zip(masked, (0, 4), (3, 2), strict=True):
        assert not row[first : first + size].any()
        assert row.sum() == row.numel() - size * row[0].numel()


def power_db(waveform: Tensor, low_hz: float, high_hz: float) -> float:
    frequency = torch.fft.rfftfreq(waveform.shape[-1], 1 / RATE)
    inside = (frequency >= low_hz) & (frequency < high_hz)
    return 10 * torch.log10(torch.fft.rfft(waveform).abs().square()[inside].mean()).item()


def test_a_band_keeps_what_is_inside_and_takes_what_is_outside():
    noise = torch.randn((1, 16_384), generator=generator())
    kept = limit_band(noise, torch.tensor([300.0]), torch.tensor([3400.0]), RATE)
    for low_hz, high_hz, change_db, tolerance in ((600, 2500, 0, 0.5), (140, 160, -24, 3), (6700, 6900, -24, 3)):
        change = power_db(kept[0], low_hz, high_hz) - power_db(noise[0], low_hz, high_hz)
        assert change == pytest.approx(change_db, abs=tolerance)


def test_babble_is_the_sum_of_the_clips_that_were_asked_for_at_equal_loudness(waveform):
    found = babble_noise(waveform, torch.tensor([[0, 1], [1, 1]]))
    loud = waveform / waveform.square().mean(1, keepdim=True).sqrt()
    torch.testing.assert_close(found, torch.stack([loud[0] + loud[1], 2 * loud[1]]))


def test_a_room_dies_away_at_its_pace_and_reflects_its_share():
    click = torch.zeros(1, 16_000)
    click[0, 100] = 1.0
    noise = torch.randn((1, 8000), generator=generator())
    room = reverberate(click, torch.tensor([16_000]), torch.tensor([8000.0]), torch.tensor([0.5]), noise)[0]
    assert not room[:100].abs().gt(1e-6).any() and room[100:].square().sum().item() == pytest.approx(1.5, rel=0.15)
    early, late = (room[start : start + 800].square().sum() for start in (200, 4200))
    assert 10 * torch.log10(early / late).item() == pytest.approx(30, abs=2)  # half of the 60 dB


def test_gain_control_makes_loud_and_quiet_stretches_alike():
    features = torch.zeros(1, 1, 4, 200)
    features[..., 100:] = 10.0
    levelled = automatic_gain_control(features, torch.tensor([200]), torch.tensor([1.0]))
    assert (levelled[..., 20:80].mean() - levelled[..., 120:180].mean()).abs() < 0.01
    assert levelled.mean().item() == pytest.approx(features.mean().item(), abs=0.1)
    shorter = automatic_gain_control(features, torch.tensor([150]), torch.tensor([1.0]))
    assert not torch.equal(shorter[..., :150], features[..., :150])
    assert torch.equal(shorter[..., 150:], features[..., 150:])  # the padding


def test_noise_suppression_leaves_the_loud_cells():
    features = torch.tensor([-2.0, -0.5, 0.5, 2.0]).view(1, 1, 4, 1)
    found = noise_gate(features, torch.tensor([0.0]), torch.tensor([0.5])).flatten()
    assert found.tolist() == [-3.0, -0.75, 0.5, 2.0]


# --- mixup -----------------------------------------------------------------------------------------------------------


def test_mixup_mixes_sound_and_target_by_the_same_share():
    features, targets = torch.randn(3, 1, 4, 5), torch.eye(3)
    order, share = torch.tensor([1, 2, 0]), torch.tensor([1.0, 0.0, 0.25])
    mixed, mixed_targets = mixup(features, targets, order, share)
    torch.testing.assert_close(mixed[0], features[0])
    torch.testing.assert_close(mixed[1], features[2])
    torch.testing.assert_close(mixed[2], 0.25 * features[2] + 0.75 * features[0])
    assert mixed_targets.tolist() == [[1, 0, 0], [0, 0, 1], [0.75, 0, 0.25]]
    torch.testing.assert_close(mixed_targets.sum(1), torch.ones(3))


# --- drawing ---------------------------------------------------------------------------------------------------------


def augmented(config: AugmentConfig, waveform: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Features and lengths of what training would see."""
    augment, logmel = Augment(config, RATE, generator(seed)), LogMel(FrontendConfig(deltas=1))
    changed, lengths = augment.waveform(waveform.clone(), N_SAMPLES)
    n_frames = logmel.n_frames(lengths)
    return augment.features(logmel(changed, lengths), n_frames), n_frames


def test_the_generator_alone_decides(waveform):
    config = replace(AugmentConfig(), noise_chance=1.0)
    first, n_frames = augmented(config, waveform)
    torch.rand(7)  # the global generator must not matter
    again, n_again = augmented(config, waveform)
    assert torch.equal(first, again) and torch.equal(n_frames, n_again)
    other, n_other = augmented(config, waveform, seed=1)
    assert first.shape != other.shape or not torch.equal(first, other) or not torch.equal(n_frames, n_other)


def test_neutral_parameters_change_nothing(waveform, features):
    found, n_frames = augmented(NEUTRAL, waveform)
    torch.testing.assert_close(found, features, rtol=0, atol=1e-5)
    assert n_frames.tolist() == LogMel(FrontendConfig()).n_frames(N_SAMPLES).tolist()


@pytest.mark.parametrize(
    "switched_on",
    [
        {"speed": 0.15},
        {"noise_chance": 1.0},
        {"babble_chance": 1.0},
        {"room_chance": 1.0},
        {"band_chance": 1.0},
        {"level_out_chance": 1.0},
        {"gate_chance": 1.0},
        {"shift_s": 0.2},
        {"warp": 0.1},
        {"tilt": 0.3},
        {"n_masks": 1, "max_mask_share": 0.0},
        {"n_masks": 1, "max_mask_mels": 0, "max_mask_share": 0.5},
    ],
    ids=lambda switch: "+".join(switch),
)
def test_each_part_of_the_config_is_used(waveform, features, switched_on):
    found, _ = augmented(replace(NEUTRAL, **switched_on), waveform)
    width = min(found.shape[-1], features.shape[-1])
    assert (found[..., :width] - features[..., :width]).abs().mean() > 1e-3


def drawn(config: AugmentConfig, waveform: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Waveforms and lengths of 30 draws."""
    return [Augment(config, RATE, generator(seed)).waveform(waveform.clone(), N_SAMPLES) for seed in range(30)]


def test_gain_is_drawn_within_its_range_in_both_directions(waveform):
    changed = torch.stack([found for found, _ in drawn(replace(NEUTRAL, gain_db=12.0), waveform)])
    gain_db = 20 * torch.log10(changed.abs().amax(2) / waveform.abs().amax(1))
    assert -12 <= gain_db.min() < -8 and 8 < gain_db.max() <= 12 and not torch.equal(gain_db[:, 0], gain_db[:, 1])


def test_a_shift_is_drawn_in_seconds(waveform):
    shifts = torch.stack([lengths - N_SAMPLES for _, lengths in drawn(replace(NEUTRAL, shift_s=0.1), waveform)])
    assert 0 <= shifts.min() < 160 and 1440 < shifts.max() < 1600


@pytest.mark.parametrize("kind", ["noise", "babble"])
def test_noise_is_drawn_within_its_ratios(waveform, kind):
    config = replace(NEUTRAL, **{f"{kind}_chance": 1.0}, min_snr_db=10.0, max_snr_db=35.0)
    added = torch.stack([found - waveform for found, _ in drawn(config, waveform)])
    snr_db = 10 * torch.log10(waveform.square().sum(1) / added.square().sum(2))
    assert 9.99 < snr_db.min() < 15 and 30 < snr_db.max() < 35.01


def test_a_chance_is_that_of_each_clip(waveform):
    changed = torch.stack([found for found, _ in drawn(replace(NEUTRAL, noise_chance=0.2), waveform)])
    share = (changed != waveform).any(2).float().mean()
    assert 0.05 < share < 0.4 and not changed[:, 1, N_SAMPLES[1] :].any()


def test_a_room_is_drawn_within_its_decay():
    click = torch.zeros(2, 16_000)
    click[:, 0] = 1.0
    for found, _ in drawn(replace(NEUTRAL, room_chance=1.0, max_decay_s=0.5), click):
        echo = found.clone()
        echo[:, 0] = 0
        assert echo[:, 800:1200].abs().amax(1).min() > 1e-4 and echo[:, 8000:].abs().max() < 1e-6


def test_a_band_drawn_keeps_the_middle_of_speech():
    noise = torch.randn(2, 16_000, generator=generator())
    for found, _ in drawn(replace(NEUTRAL, band_chance=1.0), noise):
        before, after = (torch.fft.rfft(x[0]).abs()[500:2500].square().sum() for x in (noise, found))
        assert 10 * torch.log10(before / after) < 1


def test_warp_and_tilt_are_drawn_in_both_directions():
    ramp = torch.linspace(-1, 1, 64)[None, None, :, None].expand(2, 1, 64, 50).contiguous()
    n_frames = torch.tensor([50, 50])
    for config in (replace(NEUTRAL, warp=0.1), replace(NEUTRAL, tilt=0.3)):
        found = torch.stack(
            [Augment(config, RATE, generator(seed)).features(ramp.clone(), n_frames) for seed in range(30)]
        )
        change = found[:, :, 0, 40, 0] - ramp[0, 0, 40, 0]
        assert change.min() < -0.03 and change.max() > 0.03 and change.abs().max() < 0.14


def test_derivatives_are_not_tilted():
    features, augment = torch.zeros(2, 2, 64, 50), Augment(replace(NEUTRAL, tilt=0.3), RATE, generator())
    found = augment.features(features, torch.tensor([50, 50]), n_deltas=1)
    assert found[:, 0].any() and not found[:, 1].any()


def test_masks_are_drawn_up_to_their_widths():
    flat, n_frames = torch.ones(2, 1, 64, 100), torch.tensor([100, 40])
    bands, frames = [], []
    for seed in range(40):
        config = replace(NEUTRAL, n_masks=1, max_mask_mels=8, max_mask_share=0.2)
        found = Augment(config, RATE, generator(seed)).features(flat.clone(), n_frames)[:, 0]
        bands.append((found == 0).all(2).sum(1))
        frames.append((found == 0).all(1).sum(1) - (100 - n_frames))
    bands, frames = torch.stack(bands), torch.stack(frames)
    assert bands.min() == 0 and bands.max() == 8
    assert frames.min() == 0 and 15 < frames[:, 0].max() < 20 and 5 < frames[:, 1].max() < 8  # of each clip's own
    few = Augment(config, RATE, generator(1)).features(torch.ones(40, 1, 12, 9), torch.full((40,), 9))[:, 0]
    assert (few == 0).all(2).sum(1).max() == 3  # a quarter of the bands
    two = Augment(replace(NEUTRAL, n_masks=2, max_mask_share=0.0), RATE, generator(3)).features(flat, n_frames)[0, 0]
    assert ((two[:, 0] == 0).int().diff(prepend=torch.zeros(1)) == 1).sum() == 2


@pytest.mark.parametrize("kind", ["level_out", "gate"])
def test_features_are_normalised_again_after_their_level_was_changed(features, kind):
    config = replace(NEUTRAL, **{f"{kind}_chance": 1.0})
    found = Augment(config, RATE, generator()).features(features.clone(), N_FRAMES)
    for row, n in zip(found, N_FRAMES, strict=True):
        torch.testing.assert_close(row[..., :n].mean((1, 2)), torch.zeros(2), atol=1e-3, rtol=0)
        torch.testing.assert_close(row[..., :n].std((1, 2)), torch.ones(2), atol=0.05, rtol=0)


def test_gain_control_drawn_makes_loud_and_quiet_parts_more_alike():
    step = torch.linspace(-5, 5, 64)[None, None, :, None] + torch.zeros(2, 1, 64, 200)
    step[..., 100:] += 10.0  # as much as from the lowest band to the highest
    for seed in range(5):
        augment = Augment(replace(NEUTRAL, level_out_chance=1.0), RATE, generator(seed))
        found = augment.features(step.clone(), torch.tensor([200, 200]))
        loud, quiet = found[..., 140:180].mean(3), found[..., 20:60].mean(3)
        assert ((loud - quiet).mean(2) < 0.75 * (loud[..., -1] - loud[..., 0])).all()


def test_gain_control_leaves_a_clip_of_one_level_whatever_its_place_in_the_batch():
    steady = torch.linspace(0.5, 1.5, 64)[None, None, :, None] * torch.ones(2, 1, 64, 63)
    steady[1, ..., N_FRAMES[1] :] = 0
    for seed in range(10):
        augment = Augment(replace(NEUTRAL, level_out_chance=0.5), RATE, generator(seed))
        found = augment.features(steady.clone(), N_FRAMES)
        assert found[1, ..., : N_FRAMES[1]].std(2).max() < 1e-4


def test_padding_stays_empty_after_all_of_it(waveform):
    chances = ("noise", "babble", "room", "band", "level_out", "gate")
    for seed in range(5):
        everything = replace(AugmentConfig(), **{f"{name}_chance": 1.0 for name in chances})
        found, n_frames = augmented(everything, waveform, seed)
        for row, n in zip(found, n_frames, strict=True):
            assert row[..., : int(n)].any() and not row[..., int(n) :].any()


def test_speed_stays_within_its_range(waveform):
    lengths = [
        Augment(replace(NEUTRAL, speed=0.15), RATE, generator(seed)).waveform(waveform, N_SAMPLES)[1][0].item()
        for seed in range(30)
    ]
    assert 16_000 / 1.15 - 1 <= min(lengths) < 15_500 and 16_500 < max(lengths) <= 16_000 * 1.15 + 1
