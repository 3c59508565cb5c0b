"""The picture of an assessment says all it has to, each in its room; pictures of faults show them where they are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image, ImageDraw, ImageFont

from garment3d.camera import project
from garment3d.export import evidence_mesh
from garment3d.export.card import WIDTH_PX, card_of, quality_card
from garment3d.export.card_text import plain, width_of, wrapped
from garment3d.export.evidence import evidence
from garment3d.export.likeness_pictures import LINE, MISSING, TOO_MUCH, difference, framed
from garment3d.metrics import mask_iou
from garment3d.quality.findings import Finding
from garment3d.render import render
from tests.assessed import BUDGETS, assessed, good, tube_and_photo, tube_views
from tests.solids import textured, tube


@pytest.fixture(scope="module")
def shown():
    mesh, rgb, soft = tube_and_photo()
    return evidence(mesh, rgb, soft, tube_views(), assessed())


def near(pixels, colour, within=12):
    """[H,W] bool, opaque pixels of about that colour."""
    return (np.abs(pixels[..., :3].astype(int) - colour).max(-1) <= within) & (pixels[..., 3] > 200)


def red(pixels):
    """[H,W] bool, opaque pixels that are clearly red."""
    return (pixels[..., 0].astype(int) - pixels[..., 1] > 60) & (pixels[..., 3] > 200)


def middle(found):
    return np.argwhere(found).mean(0)[::-1]


# The card


def test_the_card_is_as_wide_as_said_and_another_one_for_another_verdict(shown):
    mesh, rgb, soft = tube_and_photo()
    card = quality_card(mesh, rgb, soft, tube_views(), assessed(), BUDGETS)
    assert card.dtype == np.uint8 and card.shape[1:] == (WIDTH_PX, 3) and 1200 < card.shape[0] < 4000
    kinds = [card_of(shown, assessed(verdict=verdict), BUDGETS) for verdict in ("good", "check", "reject")]
    np.testing.assert_array_equal(card, kinds[2])
    tops = [kind[70:110, 90:120].reshape(-1, 3).mean(0) for kind in kinds]  # the mark of the verdict
    assert tops[0][1] > tops[0][0] + 40 and tops[2][0] > tops[2][1] + 60
    assert np.abs(tops[1] - tops[0]).max() > 40 and np.abs(tops[1] - tops[2]).max() > 25


def test_without_views_findings_or_budgets_the_card_leaves_them_out():
    mesh, rgb, soft = tube_and_photo()
    alone = quality_card(mesh, rgb, soft, None, good()._replace(views=()))
    with_views = quality_card(mesh, rgb, soft, tube_views(), good())
    with_all = quality_card(mesh, rgb, soft, tube_views(), assessed(), BUDGETS)
    assert alone.shape[0] < with_views.shape[0] < with_all.shape[0]


def test_a_worse_view_is_marked(shown):
    plain_views = tuple(view._replace(bad=False) for view in assessed().views)
    marked, unmarked = card_of(shown, assessed()), card_of(shown, assessed(views=plain_views))
    where = np.argwhere((marked.astype(int) != unmarked).any(-1))
    # Two of four tiles of a ninth of the width: the second and the third.
    assert where[:, 1].min() > WIDTH_PX / 9 and where[:, 1].max() < 4 * WIDTH_PX / 9


LONG = "Sehr lange Erklärung ∞ 衣服 " + "w" * 300 + " and many more words of which each is short " * 6


def test_no_text_leaves_its_picture_or_lies_over_another(shown, monkeypatch):
    written = []
    own = ImageDraw.ImageDraw.text

    def text(pen, xy, said, *args, **kwargs):
        font = kwargs.get("font") or args[1]
        written.append((pen._image, pen.textbbox(xy, said, font=font, anchor=kwargs.get("anchor"))))
        return own(pen, xy, said, *args, **kwargs)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    findings = tuple(Finding(LONG[:90] if i else "hole", "fail", LONG, 1, 0, LONG) for i in range(20))
    views = tuple(view._replace(azimuth_deg=123.456789, seed=2**64 - 1) for view in assessed().views)
    shape = assessed().shape._replace(missing_openings=("neck", "waist", "cuff_l", "cuff_r", "armhole_l", "leg_r"))
    worst = assessed(sentence=LONG, notes=(LONG, LONG), findings=findings, views=views, shape=shape)
    budgets = tuple(check._replace(platform=f"{check.platform} {'long ' * 9}") for check in BUDGETS) * 6
    card_of(shown, worst, budgets)
    assert len(written) > 100
    for image, (x0, y0, x1, y1) in written:
        assert x0 >= -0.5 and y0 >= -0.5 and x1 <= image.width + 0.5 and y1 <= image.height + 0.5, (image.size, x1, y1)
    for i, (image, a) in enumerate(written):
        for other, b in written[i + 1 :]:
            if other is image:
                assert min(a[2], b[2]) <= max(a[0], b[0]) + 0.5 or min(a[3], b[3]) <= max(a[1], b[1]) + 0.5, (a, b)


def test_lines_keep_to_their_room_and_lose_no_word():
    lines = wrapped(LONG, 20, 240)
    assert all(width_of(line, 20) <= 240 for line in lines)
    assert "".join(lines).replace(" ", "") == plain(LONG).replace(" ", "")
    cut = wrapped(LONG, 20, 240, most=2)
    assert len(cut) == 2 and cut[1].endswith("…") and width_of(cut[1], 20) <= 240
    assert wrapped("", 20, 240) == [] and wrapped("one", 20, 240, most=1) == ["one"]


def test_every_sign_that_is_written_is_in_the_font():
    font = ImageFont.load_default(40)
    missing = bytes(font.getmask("\uffff"))
    said = plain("ΔE 3.5 − 4 × 5 ≥ 6 → é ß ñ 140° “x” ‘y’ … · ± µ ∞ 衣 " + "".join(map(chr, range(32, 127))))
    assert [sign for sign in set(said) - {" "} if bytes(font.getmask(sign)) == missing] == []
    assert plain("ΔE 3 × 5 ≥ 2°, é") == "dE 3 x 5 >= 2°, e"


# The pictures in it


def test_a_framed_photo_has_the_camera_that_sees_what_it_shows():
    mesh, rgb, soft = tube_and_photo()
    found = framed(rgb, soft, 333)
    assert max(found.soft.shape) == 333 and found.camera.hw == found.soft.shape == found.rgb.shape[:2]
    drawn = render(mesh, found.camera)
    assert mask_iou(drawn.alpha, found.soft) > 0.985
    inside = found.soft > 0.99
    assert np.abs(drawn.rgb.numpy() * 255 - found.rgb)[inside].mean() < 6


def test_a_difference_is_quiet_where_pictures_agree_and_loud_where_they_do_not():
    rng = np.random.default_rng(0)
    seen = np.repeat(np.repeat(rng.uniform(0.2, 0.8, (8, 8, 3)), 10, 0), 10, 1).astype(np.float32)
    soft = np.zeros((80, 80), np.float32)
    soft[10:70, 10:70] = 1
    same = difference(seen, soft, seen, soft)
    assert (same[..., 3] > 0).sum() == 60 * 60
    assert np.ptp(same[same[..., 3] > 0][:, :3].astype(int), axis=1).max() <= 1  # grey
    truth, moved = seen.copy(), np.roll(soft, 5, 1)
    truth[30:40, 30:40] = 1 - truth[30:40, 30:40]
    told = difference(seen, soft, truth, moved)
    assert near(told, MISSING)[10:70, 70:75].all() and near(told, MISSING).sum() == 60 * 5
    assert near(told, TOO_MUCH)[10:70, 10:15].all() and near(told, TOO_MUCH).sum() == 60 * 5
    colourful = np.ptp(told[..., :3].astype(int), axis=-1) > 60
    colourful[:, :15] = colourful[:, 70:] = False
    assert colourful[32:38, 32:38].all() and not colourful[:28].any() and not colourful[42:].any()


def test_a_shifted_view_is_missing_on_one_side_and_too_much_on_the_other(shown):
    view, garment, differs = shown.findings[1]
    assert view.caption == "The view at 90°" and garment.caption == "The garment from there"
    left, right = middle(near(differs.pixels, MISSING))[0], middle(near(differs.pixels, TOO_MUCH))[0]
    assert right - left > 40  # the tube is about 45 px wide, and 20 px aside
    assert shown.findings[2] == ()  # no picture shows a wrong scale better than the front does


def holed(azimuth_deg):
    """The tube with a hole 0.1 in radius at an azimuth, a little above its middle."""
    mesh = tube(0.3, 1.0)
    at = np.array([0.3 * np.sin(np.radians(azimuth_deg)), 0.15, 0.3 * np.cos(np.radians(azimuth_deg))])
    keep = np.linalg.norm(mesh.triangles_center - at, axis=1) > 0.1
    return trimesh.Trimesh(mesh.vertices, mesh.faces[keep], process=False), at


@pytest.mark.parametrize("azimuth_deg", [90.0, 200.0])
def test_a_hole_is_circled_from_the_side_where_it_is(azimuth_deg):
    mesh, _ = holed(azimuth_deg)
    (_, whole), (_, close) = evidence_mesh.holes(mesh, 1)
    # On the side that looks at it the hole stands in the middle, 0.15 of the tube's length above.
    ring, drawn = np.argwhere(near(whole, LINE, 30)), np.argwhere(whole[..., 3] > 128)
    centre, length = (ring.min(0) + ring.max(0)) / 2, np.ptp(drawn[:, 0])
    assert abs(centre[1] - (drawn[:, 1].min() + drawn[:, 1].max()) / 2) < 5
    assert (drawn[:, 0].mean() - centre[0]) / length == pytest.approx(0.15, abs=0.04)
    assert np.ptp(ring[:, 0]) > 0.2 * length
    ring = np.argwhere(near(close, LINE, 30))
    assert np.abs((ring.min(0) + ring.max(0)) / 2 - evidence_mesh.SIZE_PX / 2).max() < 8
    assert evidence_mesh.holes(tube(), 0) == ()


def test_faces_looking_inwards_are_red_where_they_are():
    _, at = holed(180.0)
    mesh = tube(0.3, 1.0)
    patch = np.linalg.norm(mesh.triangles_center - at, axis=1) < 0.12
    faces = np.where(patch[:, None], mesh.faces[:, ::-1], mesh.faces)
    (first, behind), (second, front) = evidence_mesh.facing(trimesh.Trimesh(mesh.vertices, faces, process=False))
    assert first.startswith("Behind") and second.startswith("In front")
    x, y = project(evidence_mesh._camera(mesh, 180.0), at[None])[0][0]
    inner = red(behind)[60:-60]  # without the ends, where the tube's own inside is seen
    assert np.abs(middle(inner) - (x, y - 60)).max() < 3 and inner.sum() > 400
    assert not red(front)[60:-60].any()


def test_cloth_that_shares_its_place_in_the_atlas_is_red():
    mesh = tube(0.3, 1.0)
    uv = np.asarray(mesh.visual.uv).copy()
    grey = Image.new("RGB", (64, 64), (90, 110, 90))
    ((_, alone),) = evidence_mesh.atlas(textured(mesh.vertices, mesh.faces, uv * 0.5, grey))
    assert not red(alone).any()
    both = trimesh.util.concatenate([mesh, mesh])
    shifted = np.concatenate([uv * 0.5, uv * 0.5 + (0.25, 0.0)])
    ((_, shared),) = evidence_mesh.atlas(textured(both.vertices, both.faces, shifted, grey))
    # Two squares of half the side, moved by half of theirs: a quarter by a half lies twice, at the bottom left.
    assert red(shared).mean() == pytest.approx(1 / 8, abs=0.01)
    assert np.abs(middle(red(shared)) / evidence_mesh.SIZE_PX - (0.375, 0.75)).max() < 0.01
    assert evidence_mesh.atlas(trimesh.creation.box()) == ()


def test_loose_pieces_and_cuts_are_ringed():
    ball = trimesh.creation.icosphere(2, 0.08)
    ball.apply_translation((0.2, 0.3, 0.45))
    bare = trimesh.Trimesh(tube(0.3, 1.0).vertices, tube(0.3, 1.0).faces, process=False)
    pictures = evidence_mesh.pieces(trimesh.util.concatenate([bare, ball]))
    camera = evidence_mesh._camera(trimesh.util.concatenate([bare, ball]), 0.0)
    x, y = project(camera, np.array([[0.2, 0.3, 0.45]]))[0][0]
    assert np.abs(middle(red(pictures[0][1])) - (x, y)).max() < 4
    assert evidence_mesh.crossing(bare) == ()
    ball.apply_translation((0, 0, -0.22))  # now through the tube's wall
    assert len(evidence_mesh.crossing(trimesh.util.concatenate([bare, ball]))) == 2


@pytest.mark.parametrize("behind", [1.0, 0.5])
def test_views_are_cut_out_of_the_plain_background_they_stand_on(behind):
    mesh, rgb, soft = tube_and_photo()
    alpha = tube_views().masks[..., None]
    cloth = torch.tensor((0.8, 0.1, 0.1))
    views = replace(tube_views(), images=alpha * cloth + (1 - alpha) * behind)
    pixels = np.stack([view.pixels for view in evidence(mesh, rgb, soft, views, good()).views])
    assert np.abs(pixels[pixels[..., 3] > 8][:, :3].astype(int) - (204, 26, 26)).max() <= 16
    np.testing.assert_allclose(pixels[..., 3] / 255, alpha[..., 0], atol=0.003)
