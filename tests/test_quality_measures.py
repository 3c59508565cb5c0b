"""Each measure of the assessment against an answer known in closed form."""

import math

import numpy as np
import pytest
from skimage.color import deltaE_cie76, rgb2lab

from garment3d.quality.colour import drift
from garment3d.quality.findings import FAULTS, Finding
from garment3d.quality.halo import lean, picture_halo
from garment3d.quality.judge_garment import place_in_words
from garment3d.quality.outlines import centred, placed
from garment3d.quality.verdict import ordered, verdict_of

ROWS, COLUMNS = np.mgrid[:200, :240] + 0.5


def ellipse(x, y, wide, high):
    return ((COLUMNS - x) / wide) ** 2 + ((ROWS - y) / high) ** 2 <= 1


def test_an_outline_lies_on_itself():
    whole = ellipse(120, 100, 50, 70)
    found = placed(whole, whole)
    assert found == (1.0, 1.0, (0.0, 0.0), 1.0, 1.0)


@pytest.mark.parametrize("right, down", [(9, 0), (-4, 13), (0, -20)])
def test_a_moved_outline_is_told_by_its_shift(right, down):
    found = placed(ellipse(120 + right, 100 + down, 50, 70), ellipse(120, 100, 50, 70))
    assert found.shift_px == pytest.approx((right, down), abs=0.05)
    assert found.iou < 0.93 and found.iou_together > 0.99
    assert found.scale == pytest.approx(1, abs=0.003) and found.stretch == pytest.approx(1, abs=0.003)


@pytest.mark.parametrize("wide, high", [(1.1, 1.1), (0.9, 0.9), (1.2, 1.0), (0.8, 1.05)])
def test_scale_is_of_the_height_and_stretch_of_the_width_beside_it(wide, high):
    found = placed(ellipse(120, 100, 50 * wide, 70 * high), ellipse(120, 100, 50, 70))
    assert found.scale == pytest.approx(high, abs=0.005) and found.stretch == pytest.approx(wide / high, abs=0.008)
    assert (
        found.iou
        == pytest.approx(min(wide, 1) * min(high, 1) / (wide * high + 1 - min(wide, 1) * min(high, 1)), abs=0.01)
        or (wide - 1) * (high - 1) < 0
    )
    assert found.iou_together > 0.98


def test_another_shape_stays_another_one():
    cross = (np.abs(COLUMNS - 120) < 15) | (np.abs(ROWS - 100) < 15)
    cross &= (np.abs(COLUMNS - 120) < 70) & (np.abs(ROWS - 100) < 70)
    assert placed(cross, ellipse(120, 100, 60, 60)).iou_together < 0.6


def test_empty_outlines():
    nothing, some = np.zeros((200, 240), bool), ellipse(120, 100, 50, 70)
    assert placed(nothing, some)[:2] == (0.0, 0.0) and placed(some, nothing)[:2] == (0.0, 0.0)
    assert not centred(nothing).any()


def test_centred_outlines_of_one_shape_agree_wherever_and_however_large_they_are():
    a, b = centred(ellipse(80, 90, 30, 40)), centred(ellipse(140, 110, 60, 80))
    assert (a & b).sum() / (a | b).sum() > 0.96


def test_lean_is_the_share_of_the_way_to_the_background():
    inner, background = np.array([[0.2, 0.3, 0.4]]), np.array([1.0, 1.0, 1.0])
    for share in (0.0, 0.25, 1.0):
        assert lean(inner + share * (background - inner), inner, background) == pytest.approx(share)
    darker = lean(inner - 0.1, inner, background)
    assert darker < 0
    sideways = np.cross(background - inner, [0, 0, 1.0])
    assert lean(inner + 0.2 * sideways, inner, background) == pytest.approx(0, abs=1e-9)


def test_no_lean_is_told_where_cloth_and_background_are_alike():
    assert np.isnan(lean(np.ones((1, 3)), np.full((1, 3), 0.95), np.ones(3))).all()


def picture(rim_px, colour, trim=0):
    """A disk of cloth before white with a half-white rim; `trim` of it, in the upper part, has a white collar."""
    depth = 80 - np.hypot(COLUMNS - 120, ROWS - 100)
    rgb = np.where((depth > 0)[..., None], colour, 1.0)
    rgb = np.where(((depth > 0) & (depth <= rim_px))[..., None], 0.5 * np.asarray(colour) + 0.5, rgb)
    rgb = np.where(((depth > 0) & (depth < 12) & (ROWS < 100 - 80 + 160 * trim))[..., None], 1.0, rgb)
    return rgb, depth > 0


def test_a_pictures_rim_leans_by_what_was_mixed_in():
    navy, white = (0.1, 0.15, 0.4), np.ones(3)
    assert picture_halo(*picture(0, navy), white, 160) == pytest.approx(0, abs=1e-6)
    assert picture_halo(*picture(4, navy), white, 160) == pytest.approx(0.5, abs=0.05)


def test_a_white_collar_and_white_cloth_are_no_halo():
    white = np.ones(3)
    assert picture_halo(*picture(0, (0.1, 0.15, 0.4), trim=0.25), white, 160) < 0.02
    assert picture_halo(*picture(4, (0.93, 0.93, 0.92)), white, 160) == 0


def test_drift_is_cie76_of_the_means_and_leaves_the_light_out():
    rng = np.random.default_rng(0)
    cloth = rng.uniform(0.4, 0.6, (500, 3))
    assert drift(cloth, cloth).delta_e == pytest.approx(0, abs=1e-9)
    assert drift(0.7 * cloth, cloth).delta_e == pytest.approx(0, abs=1e-6)
    means = np.array([0.62, 0.48, 0.5]), np.array([0.5, 0.5, 0.5])
    found = drift(np.tile(means[0], (9, 1)), np.tile(means[1], (9, 1)))
    gain = means[0] @ means[1] / (means[1] @ means[1])
    wanted = float(deltaE_cie76(rgb2lab(means[0] / gain), rgb2lab(means[1])))
    assert found.delta_e == pytest.approx(wanted) and found.delta_e > 10
    assert math.isnan(drift(cloth[:0], cloth[:0]).delta_e)


def test_places_in_words():
    assert place_in_words(np.array([0.3, 0.4, 0.1])) == "front, upper right"
    assert place_in_words(np.array([-0.3, -0.4, -0.1])) == "back, lower left"
    assert place_in_words(np.zeros(3)) == "front, middle centre"


def test_what_rejects_comes_first_and_what_is_of_the_garment_before_its_views():
    shifted = Finding("shifted_view", "warn", "view 40°", 0.08, 0.02, "")
    more = shifted._replace(value=0.2, where="view 60°")
    holed, halo = Finding("hole", "fail", "mesh", 0.1, 0, ""), Finding("white_halo", "warn", "atlas", 0.4, 0.2, "")
    assert ordered([shifted, halo, more, holed]) == (holed, halo, more, shifted)
    assert [verdict_of(f) for f in ([], [halo], [halo, holed], [shifted])] == ["good", "check", "reject", "check"]
    assert shifted.of_views and not halo.of_views
    assert all(f.fault in FAULTS for f in (shifted, holed, halo))
