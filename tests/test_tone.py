"""Tones against known disturbances: gains and turned hues of colours that are known, with and without a chain."""

import numpy as np
import pytest

from garment3d.garment.texture.looks import Look
from garment3d.garment.texture.tone import MOST_UNSEEN, toned, tones

COUNT = 3000
RNG = np.random.default_rng(5)
ANGLE = RNG.uniform(0, 2 * np.pi, COUNT)
POINTS = np.stack([0.3 * np.sin(ANGLE), RNG.uniform(-0.5, 0.5, COUNT), 0.3 * np.cos(ANGLE)], 1)
"""On a tube: the truth needs no mesh and no picture."""
GAINS = {30: (1.08, 0.93, 1.0), 75: (0.92, 1.0, 1.07), 120: (1.05, 1.05, 0.94), 180: (0.93, 0.96, 1.08)}


def cloth(points):
    """[N,3] sRGB in 0..1 that varies over the tube by much more than it does within a hand's breadth."""
    x, y, z = points.T
    return np.stack([0.55 + 0.25 * np.sin(6 * y), 0.45 + 0.4 * x, 0.4 + 0.2 * np.cos(4 * y) - 0.3 * z], 1)


def striped(points, lower=0.0):
    """[N,3] stripes of cream and navy 0.03 wide, everything shifted down by `lower`."""
    return np.where((np.floor((points[:, 1] + lower) / 0.03) % 2 == 0)[:, None], (0.9, 0.86, 0.78), (0.12, 0.16, 0.35))


def seen(azimuth_deg, colours):
    """The Look of a far camera at an azimuth."""
    away = np.cos(ANGLE - np.radians(azimuth_deg))
    colours = colours.astype(np.float32)
    return Look(colours, colours, np.clip((away - 0.25) / 0.45, 0, 1).astype(np.float32))


def turned(colours, degrees):
    """[N,3] hues turned about the grey axis: Rodrigues' formula by hand."""
    angle, axis = np.radians(degrees), np.full(3, 3**-0.5)
    along = (colours @ axis)[:, None] * axis
    return along + (colours - along) * np.cos(angle) + np.cross(axis, colours) * np.sin(angle)


def worst(tone, disturbed, truth):
    """Largest error in 8-bit steps that the tone leaves of a view's mean and of its places."""
    left = 255 * (toned(disturbed, tone.matrix) - truth)
    return np.abs(left.mean(0)).max(), np.abs(left).max()


def test_gains_of_eight_percent_are_undone_all_around():
    truth = cloth(POINTS)
    views = [seen(a, truth * gains) for a, gains in GAINS.items()]
    for tone, gains in zip(tones(POINTS, [seen(0, truth)], views), GAINS.values(), strict=True):
        matched = toned(truth * gains, tone.matrix)
        np.testing.assert_allclose((matched / truth).mean(0), 1, atol=0.02)
        assert tone.tied and tone.error < 3


def test_turned_hues_are_turned_back():
    truth = cloth(POINTS)
    disturbed = [turned(truth, degrees) for degrees in (20, -15, 10, -20)]
    views = [seen(a, colours) for a, colours in zip(GAINS, disturbed, strict=True)]
    for tone, colours in zip(tones(POINTS, [seen(0, truth)], views), disturbed, strict=True):
        assert worst(tone, colours, truth)[0] < 4


def test_views_that_are_right_stay_as_they_are():
    truth = cloth(POINTS)
    for tone in tones(POINTS, [seen(0, truth)], [seen(a, truth) for a in GAINS]):
        np.testing.assert_allclose(tone.matrix, np.eye(3, 4), atol=1e-6)
        assert tone.error < 1e-3


def test_stripes_that_lie_elsewhere_in_every_view_keep_their_contrast():
    truth = striped(POINTS)
    views = [seen(a, striped(POINTS, lower) * 0.95) for a, lower in zip(GAINS, (0.01, 0.022, 0.03, 0.008), strict=True)]
    for tone in tones(POINTS, [seen(0, truth)], views):
        light, dark = toned(np.array([[0.9, 0.86, 0.78], [0.12, 0.16, 0.35]]) * 0.95, tone.matrix)
        assert np.abs(light - [0.9, 0.86, 0.78]).max() < 0.05 and np.abs(dark - [0.12, 0.16, 0.35]).max() < 0.03


def test_a_print_that_only_the_photo_shows_does_not_colour_the_views():
    truth = cloth(POINTS)
    printed = truth.copy()
    printed[(np.abs(POINTS[:, 0] - 0.1) < 0.08) & (np.abs(POINTS[:, 1]) < 0.15) & (POINTS[:, 2] > 0)] = (0.95, 0.1, 0.1)
    views = [seen(a, truth * gains) for a, gains in GAINS.items()]
    for tone, gains in zip(tones(POINTS, [seen(0, printed)], views), GAINS.values(), strict=True):
        np.testing.assert_allclose((toned(truth * gains, tone.matrix) / truth).mean(0), 1, atol=0.03)


def test_what_nothing_ties_to_the_photo_is_changed_little():
    truth = cloth(POINTS)
    (slight,) = tones(POINTS, [seen(0, truth)], [seen(180, truth * (1.06, 1.0, 0.95))])
    (strong,) = tones(POINTS, [seen(0, truth)], [seen(180, truth * (0.4, 1.0, 1.9))])
    for tone in (slight, strong):
        assert not tone.tied and np.isinf(tone.error)
        assert np.abs(np.diag(tone.matrix) - 1).max() <= MOST_UNSEEN + 1e-6
        assert not (tone.matrix - np.diag(np.diag(tone.matrix)) @ np.eye(3, 4)).any()
    (nothing,) = tones(POINTS, [], [seen(180, truth)])
    np.testing.assert_array_equal(nothing.matrix, np.eye(3, 4))


@pytest.mark.parametrize("steps", [4.0, 12.0])
def test_the_error_is_what_matching_cannot_undo(steps):
    truth, rng = cloth(POINTS), np.random.default_rng(1)
    wrong = [truth * gains + rng.normal(0, steps / 255, truth.shape) for gains in GAINS.values()]
    exact = [seen(a, truth * gains) for a, gains in GAINS.items()]
    found = [
        tone.error for tone in tones(POINTS, [seen(0, truth)], [seen(a, c) for a, c in zip(GAINS, wrong, strict=True)])
    ]
    assert all(0.6 * steps < error < 1.4 * steps for error in found)
    # One bad view among good ones is the bad one, though it has no place in common with the photo.
    mixed = [*exact[:3], seen(180, wrong[3])]
    errors = [tone.error for tone in tones(POINTS, [seen(0, truth)], mixed)]
    assert errors[3] > 2 * max(errors[:3]) and errors[3] > 0.5 * steps


def test_no_views_have_no_tones():
    assert tones(POINTS, [seen(0, cloth(POINTS))], []) == ()
