"""The report says what was measured, in keys it explains, and its page works without a network."""

import json
import math
import os
import re
import shutil
import subprocess
from dataclasses import asdict
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from garment3d.data import Opening
from garment3d.export import figures as figures_module
from garment3d.export import quality_json as quality_module
from garment3d.export import report as report_module
from garment3d.export.evidence import evidence
from garment3d.export.figures import figures
from garment3d.export.page import Pictures, report_html
from garment3d.export.parts import parts
from garment3d.export.quality_json import quality_json
from garment3d.export.quality_page import quality_html
from garment3d.export.report import Engines, Fitting, ModelUse, Report, TextureShares, report_json
from garment3d.export.viewer import viewer_html
from tests.assessed import AZIMUTHS, BUDGETS, assessed, checked_tube, good, photo_of, tube_and_photo, tube_views

OPENINGS = (Opening("neck", (0.0, 0.5, 0.0)), Opening("hem", (0.0, -0.5, 0.0)))


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


class NotJson(AssertionError):
    """A constant that JSON does not know."""


def strict(text):
    def refuse(name):
        raise NotJson(name)

    return json.loads(text, parse_constant=refuse)


def same(listed, own):
    """Whether a value of the JSON is the one it stands for, to six digits; null for what is no number."""
    if hasattr(own, "_asdict"):
        return isinstance(listed, dict) and same_keys(listed, own._asdict())
    if isinstance(own, dict):
        return same_keys(listed, own)
    if isinstance(own, (tuple, list)):
        return len(listed) == len(own) and all(map(same, listed, own))
    if own is None or isinstance(own, (str, bool)):
        return listed == own and type(listed) is type(own)
    return listed is None if not math.isfinite(own) else listed == pytest.approx(float(own), rel=1e-5)


def same_keys(listed, own):
    return set(listed) == set(own) and all(same(listed[key], own[key]) for key in own)


def test_the_assessment_in_the_report_is_the_assessment():
    quality = assessed()
    whole = strict(report_json(made(quality=quality, budgets=BUDGETS)[0]))
    found = whole["quality"]
    assert found.pop("worst") == [90, 180] and same_keys(found, quality._asdict())
    assert found["findings"][2]["value"] is None and found["shape"]["mirrored_iou"] is None
    assert found["views"][2]["shift_px"] == [None, 0] and found["views"][3]["seed"] == 2**64 - 1
    for listed, own in zip(whole["budgets"], BUDGETS, strict=True):
        held = {"platform": own.platform, "met": own.met, "told": own.told, "budget": asdict(own.budget)}
        assert same_keys(listed, {**held, **own.load._asdict()})
    plain = strict(report_json(made()[0]))
    assert plain["quality"] is None and plain["budgets"] == []


def test_the_assessment_alone_is_the_same_block_with_what_repeats_it():
    quality, repeat = assessed(), {"model": "zero123-xl", "steps": 50, "guidance": 3.0}
    alone = strict(quality_json(quality, BUDGETS, repeat))
    whole = strict(report_json(made(quality=quality, budgets=BUDGETS)[0]))
    assert alone == {"quality": whole["quality"], "budgets": whole["budgets"], "repeat": repeat}
    assert strict(quality_json(None)) == {"quality": None, "budgets": [], "repeat": {}}


def test_every_key_of_the_assessment_is_explained():
    text = quality_module.__doc__ or ""
    whole = strict(quality_json(assessed(), BUDGETS))
    quality, budget = whole["quality"], whole["budgets"][0]
    parts = (whole, quality, quality["findings"][0], quality["shape"], quality["texture"], quality["views"][0])
    for key in {key for part in (*parts, budget, budget["budget"]) for key in part}:
        assert re.search(rf"\b{key}\b", text), key
    explained = re.findall(r"^ {4}(?: {4})?(\w+) ", text, re.MULTILINE)
    assert set(explained) == set(whole) | set(quality)


@cache
def pages(quality=assessed):
    """The report's page and the assessment's own."""
    report, rgb, soft, mesh = made(quality=quality(), budgets=BUDGETS)
    views = tube_views()
    shown = evidence(mesh, rgb, soft, views, report.quality)
    cut_out = np.stack([sight.pixels for sight in shown.views])
    pictures = Pictures(rgb, soft, cut_out, AZIMUTHS, viewer_html(parts(mesh)), None, shown)
    alone = quality_html(mesh, rgb, soft, views, report.quality, BUDGETS, title="<b>T</b>itle")
    return report_html(report, pictures), alone


def test_the_pages_say_what_the_assessment_says_and_run_nothing_of_it():
    for html in pages():
        links = Links(html)
        assert not [a for a in links.addresses if not a.startswith("data:") and a not in made()[0].files]
        texts = " ".join(links.texts)
        for said in ("<b>bold</b> & wrong.", "A hole of <i>5 %</i>.", "Whether <it> is mirrored can't be told."):
            assert said.lower() in texts.lower()
        assert "it" not in links.tags and "Of no size." in texts and "of <tomorrow>" in texts and "Godot 4" in texts
        assert 'title="Over its &quot;share&quot;."' in html
        # A row of the table for each view, and the marks: two bad views, one platform that is not met.
        assert html.count('<tr class="bad">') == 2 and html.count("<td>18446744073709551615</td>") == 1
        assert html.count('<tr class="over"') == 1 and html.count('<tr class="met"') == 2
        assert html.count('<div class="verdict reject"') == 1 and html.count("<li class=") == 3
    report, alone = pages()
    assert report.count('<figure class="card bad">') == 2 and "<b>T</b>" not in alone
    for html in pages(good):
        assert html.count('<div class="verdict good"') == 1 and "Findings" not in html and 'class="bad"' not in html


def test_drawn_views_are_not_marked_where_others_were_assessed():
    report, rgb, soft, mesh = made(quality=assessed())
    shown = evidence(mesh, rgb, soft, tube_views(), report.quality)
    drawn = np.stack([sight.pixels[::-1] for sight in shown.views])
    drawn[2] = shown.views[2].pixels
    html = report_html(report, Pictures(rgb, soft, drawn, AZIMUTHS, "", None, shown))
    assert html.count('<figure class="card bad">') == 1


def test_words_are_enough_for_the_report():
    report, rgb, soft, _ = made(quality=assessed(), budgets=())
    pictures = Pictures(rgb, soft, np.zeros((1, 9, 9, 4), np.uint8), (0.0,), "", None)
    html = report_html(report, pictures)
    assert "Of no size." in html and "Against the photo" not in html and "Platforms" not in html


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


def opened(pages_in_windows, tmp_path):
    """What pages tell the console, and how far each is wider than its window of a width."""
    frames = ""
    for k, (html, width) in enumerate(pages_in_windows):
        (tmp_path / f"{k}.html").write_text(html, encoding="utf-8")
        frames += f'<iframe src="{k}.html" style="width:{width}px;height:800px;border:0"></iframe>'
    probe = (
        "onload=()=>setTimeout(()=>{document.body.dataset.beyond=[...document.querySelectorAll('iframe')].map("
        "f=>f.contentDocument.documentElement).map(d=>d.scrollWidth-d.clientWidth)},500)"
    )
    (tmp_path / "frames.html").write_text(f"<body>{frames}<script>{probe}</script></body>", encoding="utf-8")
    options = ["--allow-file-access-from-files", "--enable-logging=stderr", "--dump-dom", "--window-size=1300,900"]
    done = subprocess.run(
        [*chromium(), *options, (tmp_path / "frames.html").as_uri()], check=True, capture_output=True, timeout=90
    )
    told = [line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line]
    found = re.search(r'data-beyond="([-\d,]+)"', done.stdout.decode(errors="replace"))
    return told, [int(n) for n in found[1].split(",")] if found else None


def test_the_pages_open_without_a_word_on_the_console_and_within_the_window(tmp_path):
    told, beyond = opened([(html, width) for html in pages() for width in (390, 1280)], tmp_path)
    assert told == [] and beyond == [0, 0, 0, 0]


def test_a_page_that_goes_wrong_would_be_seen(tmp_path):
    wrong = "<!DOCTYPE html><body style='margin:0'><p style='width:500px'>wide<script>nothing()</script>"
    told, beyond = opened([(wrong, 390), ("<!DOCTYPE html>", 90)], tmp_path)
    assert any("nothing is not defined" in line for line in told) and beyond == [110, 0]
