"""The worst views are painted again until they are right, and nothing that was better is lost on the way."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from garment3d.camera import orbit
from garment3d.data import Views
from garment3d.errors import ViewsError
from garment3d.metrics import mask_iou
from garment3d.quality.findings import Quality, ShapeFigures, TextureFigures, ViewFigures
from garment3d.quality.redo import redo_worst
from garment3d.views.replaced import at_azimuths, replaced
from tests.truth import Truth, make_garment, make_photo
from tests.truth.orbit import degraded, exact_views, unlit

AZIMUTHS = (0.0, 60.0, 140.0, 180.0, 260.0)
RIGHT = 107
"""The seed from which the fake model paints every view as it truly is."""


@cache
def true_views() -> Views:
    garment = make_garment("tee", 3, step_cm=2.5)
    row = unlit(Truth(garment, make_photo(garment, 3, photo=False)), (160, 160))
    return exact_views(row, orbit(azimuths_deg=AZIMUTHS, hw=(96, 96)), samples=2)


@cache
def wrong_views(seed: int) -> Views:
    """As a diffusion model paints them, each shrunk and aside besides; the photo's own is right."""
    made = degraded(true_views(), seed, side=96)
    rolled = replace(made, images=made.images.roll(9, 2), masks=made.masks.roll(9, 2))
    return replaced(rolled, at_azimuths(true_views(), (0.0,)))


def model(azimuths_deg, seed):
    painted = true_views() if seed == RIGHT else wrong_views(seed % 50)
    return replace(at_azimuths(painted, azimuths_deg), seeds=(seed,) * len(azimuths_deg))


def start(seed=100, right=(0.0,)) -> Views:
    """An orbit painted from one seed, but for the photo's own view and the ones that are right."""
    views = replace(wrong_views(seed % 50), seeds=(None, *[seed] * 4))
    return replaced(views, replace(at_azimuths(true_views(), right), seeds=tuple(None if a == 0 else 1 for a in right)))


def judge(views: Views) -> Quality:
    """Held against the true views, which only a test knows."""
    truth, rows = true_views(), []
    for k, azimuth in enumerate(views.orbit.azimuths_deg):
        iou = mask_iou(views.masks[k], truth.masks[k])
        drift = 100 * float((views.images[k] - truth.images[k]).mean((0, 1)).abs().max())
        seed = views.seeds[k] if views.seeds else None
        rows.append(ViewFigures(azimuth, iou, (0.0, 0.0), 1.0, drift, seed, iou < 0.95))
    shape = ShapeFigures(0, 0, 0, (), 1.0, 0.0)
    texture = TextureFigures(0.0, 0.0, 1.0, 0.7, 30.0, 12.0, 0.0)
    return Quality("good", "", (), 1.0, shape, texture, tuple(rows))


def recorded(calls, paint=model):
    def painting(azimuths_deg, seed):
        calls.append((azimuths_deg, seed))
        return paint(azimuths_deg, seed)

    return painting


def test_a_wrong_view_is_painted_until_it_is_right_and_the_right_ones_are_left():
    views, calls = start(right=(0.0, 180.0)), []
    done = redo_worst(views, judge(views), recorded(calls), judge, 9, RIGHT - 3)
    assert [seed for _, seed in calls] == [104, 105, 106, 107]
    assert all(set(azimuths) == {60.0, 140.0, 260.0} for azimuths, _ in calls)
    assert done.redone == (60.0, 140.0, 260.0) and done.quality.worst == ()
    assert done.views.seeds == (None, 107, 107, 1, 107)
    torch.testing.assert_close(done.views.images, true_views().images)
    torch.testing.assert_close(done.views.masks, true_views().masks)
    assert done.quality == judge(done.views)


def test_the_inputs_are_not_changed():
    views = start()
    images, masks = views.images.clone(), views.masks.clone()
    redo_worst(views, judge(views), model, judge, 3, RIGHT)
    assert torch.equal(views.images, images) and torch.equal(views.masks, masks) and views.seeds[1] == 100


def test_each_azimuth_keeps_the_better_picture_and_nothing_gets_worse():
    views = start()
    before = judge(views)
    done = redo_worst(views, before, model, judge, 3, 101)  # never the right one
    for old, new in zip(before.views, done.quality.views, strict=True):
        assert (new.bad, 1 - new.silhouette_iou + new.colour_drift / 100) <= (
            old.bad,
            1 - old.silhouette_iou + old.colour_drift / 100,
        )
    seeds = dict(zip(AZIMUTHS, done.views.seeds, strict=True))
    assert set(done.redone) == {azimuth for azimuth, seed in seeds.items() if seed not in (None, 100)}
    for azimuth, seed in seeds.items():  # the seed listed is the one whose picture is there
        expected = true_views() if azimuth == 0 else wrong_views(seed % 50)
        at = AZIMUTHS.index(azimuth)
        assert torch.equal(done.views.images[at], expected.images[at])
    assert done.quality == judge(done.views)


def test_the_assessment_itself_can_judge():
    from garment3d.quality.assess import assess
    from tests.assessed import tube_and_photo, tube_views

    mesh, rgb, soft = tube_and_photo()
    moved, right = tube_views(), at_azimuths(tube_views(), (270.0,))  # the tube looks the same from both sides

    def paint(azimuths_deg, seed):
        assert azimuths_deg == (90.0,)
        at_90 = at_azimuths(moved, (90.0,))
        return replace(right, orbit=at_90.orbit, seeds=(seed,)) if seed == 9 else replace(at_90, seeds=(seed,))

    def judged(views):
        return assess(mesh, rgb, soft, views, expected=("waist", "hem"))

    before = judged(moved)
    assert before.worst == (90.0,)
    done = redo_worst(moved, before, paint, judged, 5, 8)
    assert done.redone == (90.0,) and done.quality.worst == () and done.views.seeds == (None, 9, 7, 2**64 - 1)


def test_a_seed_is_never_tried_twice_for_an_azimuth():
    views, calls = start(seed=100), []
    redo_worst(views, judge(views), recorded(calls), judge, 4, 98)
    assert [seed for _, seed in calls] == [98, 99, 101, 102]
    last = 2**64 - 1
    again: list = []
    redo_worst(views, judge(views), recorded(again), judge, 2, last)
    assert [seed for _, seed in again] == [last, 0]


def test_what_is_good_or_was_not_painted_is_not_painted_again():
    whole = replace(true_views(), seeds=(None, 1, 1, 1, 1))
    never = pytest.fail
    done = redo_worst(whole, judge(whole), lambda *_: never("painted"), lambda _: never("judged"), 3, 5)
    assert done.views is whole and done.redone == ()
    views = start()
    assert redo_worst(views, judge(views), lambda *_: never("painted"), lambda _: never("judged"), 0, 5).views is views
    photo_wrong = replace(views, images=views.images.roll(20, 2), masks=views.masks.roll(20, 2))
    calls: list = []
    redo_worst(photo_wrong, judge(photo_wrong), recorded(calls), judge, 1, 5)
    assert 0.0 not in calls[0][0] and len(calls[0][0]) == 4


def test_views_from_a_folder_have_no_seeds_and_are_all_painted():
    views, calls = replace(start(), seeds=None), []
    without = recorded(calls, lambda azimuths, seed: replace(model(azimuths, seed), seeds=None))
    done = redo_worst(views, judge(views), without, judge, 1, RIGHT)
    assert done.views.seeds == (None, 107, 107, 107, 107) and len(calls) == 1


def test_it_says_how_far_it_is_and_can_be_stopped():
    views, told = start(), []
    redo_worst(views, judge(views), model, judge, 3, 101, progress=lambda *at: told.append(at))
    assert told == [(1, 3), (2, 3), (3, 3)]

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        redo_worst(views, judge(views), model, judge, 3, 101, progress=stop)


def test_a_view_without_measure_is_the_worst_and_anything_measured_is_better():
    views = start()

    def blind(shown):
        rows = judge(shown).views
        return judge(shown)._replace(
            views=tuple(row._replace(silhouette_iou=float("nan"), bad=True) if row.seed == 100 else row for row in rows)
        )

    done = redo_worst(views, blind(views), model, blind, 1, 101)
    assert done.redone == (60.0, 140.0, 180.0, 260.0)


def test_an_assessment_of_other_views_is_refused():
    with pytest.raises(ViewsError, match="of 5 views but there are 2"):
        redo_worst(at_azimuths(start(), (60, 140)), judge(start()), model, judge, 1, 5)


def test_views_are_exchanged_by_azimuth_whole_turns_aside():
    views = start()
    newer = at_azimuths(true_views(), (140.0, 260.0))
    around = newer.orbit._replace(azimuths_deg=(-220.0, 620.0))
    done = replaced(views, replace(newer, orbit=around, seeds=(5, 6)))
    assert done.seeds == (None, 100, 5, 100, 6)
    for k in range(5):
        expected = true_views() if k in (0, 2, 4) else wrong_views(0)
        assert torch.equal(done.images[k], expected.images[k]) and torch.equal(done.masks[k], expected.masks[k])
    assert replaced(replace(views, seeds=None), newer).seeds is None


def test_views_that_do_not_fit_are_one_sentence():
    views, newer = start(), at_azimuths(true_views(), (140.0,))
    with pytest.raises(ViewsError, match=r"no view at 20°.*60°, 140°"):
        replaced(views, replace(newer, orbit=newer.orbit._replace(azimuths_deg=(20.0,))))
    small = orbit(azimuths_deg=(140.0,), hw=(64, 64))
    with pytest.raises(ViewsError, match=r"140° is 64×64 px .* 96×96 px"):
        replaced(views, Views(newer.images[:, :64, :64], newer.masks[:, :64, :64], small))
    above = orbit(azimuths_deg=(140.0,), elevation_deg=20, hw=(96, 96))
    with pytest.raises(ViewsError, match="another camera"):
        replaced(views, Views(newer.images, newer.masks, above))


def test_a_view_of_the_real_sampler_is_painted_alone_as_in_its_orbit(tmp_path):
    pytest.importorskip("diffusers")
    from garment3d.views.zero123 import Sampling, zero123_orbit
    from garment3d.views.zero123_checkpoint import load_zero123
    from tests.tiny.zero123 import write_zero123

    write_zero123(tmp_path / "tiny.ckpt")
    network = load_zero123(tmp_path / "tiny.ckpt")
    y, x = np.mgrid[:120, :100]
    rgb = np.stack([2 * x, y + 60, 200 - x], -1).astype(np.uint8)
    soft = ((np.abs(x - 50) < 30) & (np.abs(y - 60) < 45)).astype(np.float32)

    def paint(azimuths_deg, seed):
        around = orbit(azimuths_deg=azimuths_deg, hw=(256, 256))
        return zero123_orbit(network, rgb, soft, around, Sampling(steps=3, seed=seed))

    whole = paint((0.0, 20.0, 140.0, 220.0), 11)
    assert whole.seeds == (None, 11, 11, 11)
    assert paint((0.0,), 11).seeds is None
    alone = paint((140.0,), whole.seeds[2])
    assert alone.seeds == (11,)
    torch.testing.assert_close(alone.images[0], whole.images[2], rtol=0, atol=1e-3)
    assert float((paint((140.0,), 12).images[0] - whole.images[2]).abs().max()) > 0.05
