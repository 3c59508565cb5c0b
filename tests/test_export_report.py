"""The report says what was measured, in keys it explains, and its page works without a network."""

import json
import math
import os
import re
import shutil
import subprocess
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from garment3d.data import Camera, Opening
from garment3d.export import figures as figures_module
from garment3d.export import report as report_module
from garment3d.export.figures import figures
from garment3d.export.page import Pictures, report_html
from garment3d.export.parts import parts
from garment3d.export.report import Engines, Fitting, ModelUse, Report, TextureShares, report_json
from garment3d.export.viewer import viewer_html
from garment3d.render import render
from tests.solids import textured, tube

RADIUS, HEIGHT = 0.3, 1.0
OPENINGS = (Opening("neck", (0.0, 0.5, 0.0)), Opening("hem", (0.0, -0.5, 0.0)))


def checked_tube():
    """A red tube with a 64 px check of darker red."""
    rows, columns = np.mgrid[:512, :512] // 64
    pixels = np.where(((rows + columns) % 2)[..., None], (220, 30, 30), (150, 20, 20)).astype(np.uint8)
    plain = tube(RADIUS, HEIGHT)
    return textured(plain.vertices, plain.faces, plain.visual.uv, Image.fromarray(pixels))


def photo_of(mesh, height_px=200, hw=(240, 200)):
    """A photo of the mesh over near-white and its mask, from the camera that the mask gives."""
    camera = Camera("orthographic", float(height_px), (hw[1] / 2, hw[0] / 2), np.diag([1.0, 1, 1, 1]), hw)
    camera.c2w[2, 3] = 2
    drawn = render(mesh, camera, (0.95, 0.95, 0.94))
    return (drawn.rgb.numpy() * 255 + 0.5).astype(np.uint8), drawn.alpha.numpy()


@cache
def tube_and_photo():
    mesh = checked_tube()
    return mesh, *photo_of(mesh)


@cache
def tube_figures():
    return figures(*tube_and_photo(), 60.0)


def made(**changes):
    mesh, rgb, soft = tube_and_photo()
    whole = Report(
        photo="red & <odd> name.jpg",
        photo_hw=(soft.shape[0], soft.shape[1]),
        garment_class="skirt",
        length_cm=60.0,
        engines=Engines("quick"),
        models=(ModelUse("zero123", "checkpoints/zero123-xl.ckpt", {"steps": 50, "seed": 7}),),
        mask_confidence=0.91234,
        fitting=Fitting("body.glb", "-X", True, 0.5, (0.0, 0.25, -1.0), 3.25, 0.97, 0.02, 0.004),
        openings=OPENINGS,
        figures=tube_figures(),
        texture_shares=TextureShares(0.5, 0.0, 0.25, 0.25),
        seconds={"read": 0.1, "mask": 0.25},
        files=("cameras.json", "garment.glb", "views/000.png", "report.html", "report.json"),
        warnings=("Look at <this>.",),
    )
    return whole._replace(**changes), rgb, soft, mesh


def page(film=b"not really a film"):
    report, rgb, soft, mesh = made()
    views = np.zeros((3, 40, 40, 4), np.uint8)
    views[:, 10:30, 10:30] = (200, 30, 30, 255)
    shown = Pictures(rgb, soft, views, (0.0, 120.0, 240.0), viewer_html(parts(mesh)), film)
    return report_html(report, shown)


def test_every_key_in_the_report_is_explained_and_every_explained_key_is_there():
    whole = json.loads(report_json(made()[0]))
    text = report_module.__doc__ or ""
    tops = [line.split()[0] for line in text.splitlines() if line.startswith("    ") and line[4] != " "]
    assert list(whole) == tops
    parts = ("figures", "engines", "fitting", "texture_shares", "photo")
    for key in [*(key for part in parts for key in whole[part]), *whole["openings"][0], "total"]:
        assert re.search(rf"\b{key}\b", text), key


def test_the_report_holds_numbers_a_script_can_read():
    whole = json.loads(report_json(made()[0]), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert whole["photo"] == {"file": "red & <odd> name.jpg", "size_wh": [200, 240]}
    assert whole["openings"] == [
        {"name": "neck", "anchor": [0, 0.5, 0]}, {"name": "hem", "anchor": [0, -0.5, 0]},
    ]  # fmt: skip
    assert whole["seconds"] == {"read": 0.1, "mask": 0.25, "total": 0.35}
    assert whole["mask_confidence"] == 0.9123 and whole["warnings"] == ["Look at <this>."]
    assert json.loads(report_json(made(mask_confidence=None)[0]))["mask_confidence"] is None
    assert whole["fitting"]["offset"] == [0, 0.25, -1] and whole["fitting"]["mirrored"] is True
    assert whole["texture_shares"] == {"photo": 0.5, "back_photo": 0, "views": 0.25, "filled": 0.25}
    assert json.loads(report_json(made(fitting=None)[0]))["fitting"] is None
    small = made()[0].fitting._replace(scale=1.23456e-7)
    assert json.loads(report_json(made(fitting=small)[0]))["fitting"]["scale"] == 1.23456e-7


def test_the_figures_of_a_tube_are_those_of_a_tube():
    mesh, found = tube_and_photo()[0], tube_figures()
    assert found.triangles == len(mesh.faces) and found.vertices == 96 * 25
    assert found.checks == (1, 2, 0, 0, 0, 0, 0)
    assert found.size_cm == pytest.approx((36, 60, 36), abs=0.1)
    assert found.likeness.silhouette_iou > 0.999 and found.likeness.front_psnr_db > 45
    # Half the tube's 512 texels around spread over 120 px of width, seen at a slant: π/4 of 256·512/(120·200) texels.
    assert found.detail.texture_px == 512 and found.detail.limit == "photo"
    assert found.detail.texels_per_photo_px == pytest.approx(math.sqrt(256 * 512 / (120 * 200)), rel=0.02)


def test_a_shifted_garment_and_a_wrong_texture_lower_the_figures():
    mesh, rgb, soft = tube_and_photo()
    aside = mesh.copy()
    aside.apply_translation((0.06, 0, 0))
    # 12 of 120 px aside: IoU = 108 / 132.
    assert figures(aside, rgb, soft, 60.0).likeness.silhouette_iou == pytest.approx(108 / 132, abs=0.01)
    assert figures(mesh, 255 - rgb, soft, 60.0).likeness.front_psnr_db < 10


def test_a_large_photo_is_compared_smaller_in_the_same_frame(monkeypatch):
    monkeypatch.setattr(figures_module, "MEASURE_PX", 150)
    mesh = checked_tube()
    rgb, soft = photo_of(mesh, height_px=431, hw=(461, 300))  # divided by 4, which fits neither side
    found = figures(mesh, rgb, soft, 60.0)
    assert found.likeness.silhouette_iou > 0.98 and found.likeness.front_psnr_db > 35
    assert found.detail.limit == "photo"
    rgb, soft = photo_of(mesh, height_px=600, hw=(620, 400))
    assert figures(mesh, rgb, soft, 60.0).detail.limit == "atlas"


class Links(HTMLParser):
    """Every address a page asks for, tags it opens and text it shows."""

    def __init__(self, html):
        super().__init__()
        self.addresses, self.tags, self.texts, self.srcdoc = [], [], [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.addresses += [found[key] for key in ("src", "href", "poster", "data") if found.get(key)]
        self.srcdoc = found.get("srcdoc") or self.srcdoc

    def handle_data(self, data):
        self.texts.append(data)


def test_the_page_asks_for_nothing_but_itself_and_the_saved_files():
    html = page()
    links = Links(html)
    outside = [a for a in links.addresses if not a.startswith("data:")]
    assert outside == ["cameras.json", "garment.glb", "report.html", "report.json"]
    assert "url(" not in html.split("<body>")[0] and "@import" not in html
    assert links.tags.count("video") == 1 and links.tags.count("img") == 3
    assert not [a for a in Links(links.srcdoc).addresses if not a.startswith("data:")]


def test_names_are_shown_and_never_run():
    links = Links(page())
    assert "red & <odd> name" in links.texts and "Look at <this>." in links.texts
    assert "odd" not in links.tags and "this" not in links.tags
    assert {"neck", "hem"} <= set(links.texts)


def test_without_a_turntable_there_is_no_video():
    assert "video" not in Links(page(film=None)).tags


def chromium():
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no chromium is installed")
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return [
        found, "--headless", *sandbox, "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
        "--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars", "--virtual-time-budget=4000",
    ]  # fmt: skip


def test_the_garment_is_drawn_in_a_browser_without_network(tmp_path):
    (tmp_path / "report.html").write_text(page(), encoding="utf-8")
    picture = tmp_path / "page.png"
    options = [f"--screenshot={picture}", "--window-size=1200,900", (tmp_path / "report.html").as_uri()]
    subprocess.run([*chromium(), *options], check=True, capture_output=True, timeout=60)
    shown = np.asarray(Image.open(picture).convert("RGB")).astype(int)
    left = shown[120:700, 60:700]
    red = (left[..., 0] > 120) & (left[..., 1:].max(-1) < 70)
    # A tube six tenths as wide as it is high fills a good part of its card, in both of the check's reds.
    assert 0.1 < red.mean() < 0.6
    assert np.ptp(left[red][:, 0]) > 40
