"""The front neckline against curves that were painted, against garments that show none, and the ground truth."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from garment3d.camera import photo_camera
from garment3d.garment.loops import boundary_loops, openings
from garment3d.garment.neckline import front_neckline
from garment3d.garment.openings import Span, find_openings
from garment3d.garment.shell import garment_shell
from tests.drawn import GARMENTS, Drawn, ends_of, mask_of, middle
from tests.truth import make_garment, make_photo, neckline_px

HEIGHT, HW = 420.0, (470, 500)
CLOTH = (186, 98, 84)


def distances(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """[P] from points to a polyline."""
    start, step = line[:-1], np.diff(line, axis=0)
    t = np.clip(((points[:, None] - start) * step).sum(-1) / np.maximum((step**2).sum(-1), 1e-12), 0, 1)
    return np.linalg.norm(points[:, None] - start - t[..., None] * step, axis=-1).min(1)


@cache
def tee() -> tuple[np.ndarray, Span]:
    return worn(GARMENTS["tee"], "neck")


def worn(garment: Drawn, name: str) -> tuple[np.ndarray, Span]:
    """The mask of a drawn garment and the span of its top."""
    ends = ends_of(garment, HEIGHT, middle(HEIGHT, HW))[name]
    return mask_of(garment, HEIGHT, HW), Span(name, tuple(map(float, ends[1])), tuple(map(float, ends[0])))


def curve(span: Span, drop: float, power: float) -> np.ndarray:
    """[K,2] a painted neckline between the span's ends; power 1 is a V, 2 a round neck, 4 nearly square."""
    left, right = sorted([span.a_px, span.b_px])
    t = np.linspace(0, 1, 200)[:, None]
    line = np.array(left) + t * (np.array(right) - left)
    return line + np.array([0, drop * (right[0] - left[0])]) * (1 - np.abs(2 * t - 1) ** power)


def painted(
    mask: np.ndarray,
    line: np.ndarray | None,
    cloth: tuple[int, int, int] = CLOTH,
    within: tuple[int, int, int] = (120, 60, 52),
    noise: float = 2.0,
) -> np.ndarray:
    """[H,W,3] uint8: cloth on white with a little noise; above `line` the inside of the back."""
    rows, columns = np.mgrid[: mask.shape[0], : mask.shape[1]] + 0.5
    rgb = np.tile(np.array(cloth, float), (*mask.shape, 1))
    if line is not None:
        at = np.interp(columns, *line.T)
        shown = np.clip(at - rows + 0.5, 0, 1) * ((columns > line[0, 0]) & (columns < line[-1, 0]))
        rgb += shown[..., None] * (np.array(within, float) - cloth)
    rgb += np.random.default_rng(0).normal(0, noise, rgb.shape)
    return np.clip(255 + mask[..., None] * (rgb - 255), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("drop", "power"), [(0.3, 2.0), (0.5, 2.0), (0.6, 1.0), (0.5, 4.0)])
@pytest.mark.parametrize(
    ("cloth", "within"), [(CLOTH, (120, 60, 52)), ((235, 235, 232), (196, 198, 200)), ((50, 60, 90), (30, 36, 60))]
)
def test_a_painted_neckline_is_found(
    drop: float, power: float, cloth: tuple[int, int, int], within: tuple[int, int, int]
) -> None:
    mask, span = tee()
    true = curve(span, drop, power)
    found = front_neckline(painted(mask, true, cloth, within), mask, span)
    assert found is not None
    assert distances(found, true).mean() < 0.01 * HEIGHT
    assert distances(true, found).mean() < 0.01 * HEIGHT


def test_it_runs_from_the_image_s_left_to_its_right_between_the_opening_s_ends() -> None:
    mask, span = tee()
    found = front_neckline(painted(mask, curve(span, 0.4, 2)), mask, span)
    assert (np.diff(found[:, 0]) > -1e-6).mean() > 0.95
    np.testing.assert_allclose(found[[0, -1]], sorted([span.a_px, span.b_px]), atol=3)


def test_a_mirrored_photo_has_the_mirrored_neckline() -> None:
    mask, span = tee()
    rgb = painted(mask, curve(span, 0.45, 1.5))
    mirror = Span("neck", (HW[1] - span.b_px[0], span.b_px[1]), (HW[1] - span.a_px[0], span.a_px[1]))
    found = front_neckline(rgb, mask, span)
    other = front_neckline(rgb[:, ::-1].copy(), mask[:, ::-1].copy(), mirror) * [-1, 1] + [HW[1], 0]
    assert distances(found, other).mean() < 1.0


def test_the_direction_of_the_span_does_not_matter() -> None:
    mask, span = tee()
    rgb = painted(mask, curve(span, 0.4, 2))
    turned = Span(span.name, span.b_px, span.a_px)
    np.testing.assert_allclose(front_neckline(rgb, mask, turned), front_neckline(rgb, mask, span))


def test_a_waist_that_dips_in_front_is_found() -> None:
    mask, span = worn(GARMENTS["skirt"], "waist")
    true = curve(span, 0.09, 2.0)
    found = front_neckline(painted(mask, true), mask, span)
    assert found is not None and distances(found, true).mean() < 0.01 * HEIGHT


@pytest.mark.parametrize("name", ["tee", "camisole", "skirt", "trousers"])
@pytest.mark.parametrize("noise", [0.0, 2.0, 5.0])
def test_plain_cloth_right_up_to_the_outline_hides_its_back(name: str, noise: float) -> None:
    mask, span = worn(GARMENTS[name], "waist" if "waist" in GARMENTS[name].openings else "neck")
    assert front_neckline(painted(mask, None, noise=noise), mask, span) is None


def test_shade_that_runs_across_the_cloth_is_no_neckline() -> None:
    mask, span = tee()
    rows, columns = np.mgrid[: HW[0], : HW[1]]
    shade = 1 + 0.2 * (rows / HW[0] - 0.5) + 0.2 * (columns / HW[1] - 0.5)
    rgb = np.clip(painted(mask, None) * shade[..., None], 0, 255).astype(np.uint8)
    assert front_neckline(rgb, mask, span) is None


@pytest.mark.parametrize("period", [5, 9, 16, 30])
@pytest.mark.parametrize("name", ["tee", "camisole"])
def test_upright_stripes_are_no_neckline(name: str, period: int) -> None:
    mask, span = worn(GARMENTS[name], "neck")
    rgb = striped(painted(mask, None), period, upright=True)
    assert front_neckline(rgb, mask, span) is None


@pytest.mark.parametrize("period", [5, 9, 16, 30])
@pytest.mark.parametrize("upright", [True, False])
def test_a_neckline_is_found_on_striped_cloth(period: int, upright: bool) -> None:
    mask, span = tee()
    true = curve(span, 0.45, 2.0)
    found = front_neckline(striped(painted(mask, true), period, upright), mask, span)
    assert found is not None and distances(found, true).mean() < 0.01 * HEIGHT


def striped(rgb: np.ndarray, period: int, upright: bool) -> np.ndarray:
    """Every other band of `period` pixels darker by a third."""
    rows, columns = np.indices(rgb.shape[:2])
    dark = (columns if upright else rows) // period % 2 == 1
    return np.where(dark[..., None], rgb * 0.7, rgb).astype(np.uint8)


def test_an_opening_of_a_few_pixels_has_no_neckline_to_find() -> None:
    mask, span = tee()
    tiny = Span("neck", span.a_px, (span.a_px[0] + 6, span.a_px[1]))
    assert front_neckline(painted(mask, None), mask, tiny) is None


def test_the_shell_s_front_is_cut_along_it_and_its_back_is_not() -> None:
    mask, span = tee()
    true = curve(span, 0.45, 2.0)
    ends = ends_of(GARMENTS["tee"], HEIGHT, middle(HEIGHT, HW))
    spans = tuple(Span(n, tuple(map(float, a)), tuple(map(float, b))) for n, (a, b) in ends.items())
    camera = photo_camera(mask)
    mesh = garment_shell(mask, painted(mask, true), spans, triangles=4000)
    names = [o.name for o in openings(mesh)]
    lip = np.asarray(mesh.vertices)[boundary_loops(mesh)[names.index("neck")]]
    place = lip[:, :2] * [1, -1] * camera.focal_px + np.array(camera.center_px)
    front, back = lip[:, 2] > 1e-6, lip[:, 2] < -1e-6
    assert distances(place[front], true).mean() < 0.01 * HEIGHT
    assert place[front, 1].max() - place[back, 1].max() > 0.6 * np.ptp(true[:, 1])


@cache
def truth_errors() -> dict[str, float | None]:
    """Mean distance to the true front neckline in % of height by garment, None where none was found."""
    errors: dict[str, float | None] = {}
    for seed in range(3):
        for name in ("tee", "longsleeve", "dress", "top"):
            garment = make_garment(name, seed, step_cm=2.0)
            photo = make_photo(garment, seed, (448, 336))
            height = np.ptp(np.flatnonzero((photo.soft >= 0.5).any(1)))
            span = next(s for s in find_openings(photo.soft).spans if s.name == "neck")
            found, true = front_neckline(photo.rgb, photo.soft, span), neckline_px(garment, photo)
            errors[f"{name} {seed}"] = None if found is None else 100 * distances(found, true).mean() / height
    return errors


def test_ground_truth_necklines_are_found_within_a_hundredth_of_the_height() -> None:
    errors = list(truth_errors().values())
    assert sum(e is not None and e <= 1.0 for e in errors) >= 0.75 * len(errors), truth_errors()
