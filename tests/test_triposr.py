"""TripoSR against the original's numbers: network, decoder, framing, mesh and renderer of a tiny checkpoint."""

import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from garment3d.camera import mask_box
from garment3d.errors import MaskError, SurfaceError, WeightsError
from garment3d.surface.triposr.checkpoint import load_triposr
from garment3d.surface.triposr.decoder import colour, density
from garment3d.surface.triposr.framing import frame_of, framed
from garment3d.surface.triposr.mesh import triposr_mesh
from garment3d.surface.triposr.network import TripoSR
from garment3d.surface.triposr.render import render_scene, turntable
from garment3d.surface.triposr.scene import triposr_scene
from garment3d.surface.triposr.vit import stretched_positions
from garment3d.texels import linear_to_srgb

from .tiny.triposr import picture, tiny_state, write_triposr

FIXTURE = Path(__file__).parent / "fixtures" / "triposr.npz"


@pytest.fixture(scope="module")
def original():
    with np.load(FIXTURE) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_triposr(tmp_path_factory.mktemp("triposr") / "model.ckpt")


@pytest.fixture(scope="module")
def model(checkpoint):
    return load_triposr(checkpoint)


@pytest.fixture(scope="module")
def scene(model):
    return triposr_scene(model, *picture())


def test_a_photo_is_framed_as_the_original_frames_it(original):
    pixels = framed(*picture())
    assert pixels.shape == (1, 3, 512, 512) and pixels.dtype == torch.float32
    assert np.abs(pixels.flatten()[original["pixels_at"]].numpy() - original["pixels"]).max() < 1e-6


def test_planes_are_the_originals(scene, original):
    assert scene.planes.shape == (3, 8, 64, 64) and scene.planes.dtype == torch.float32
    assert np.abs(scene.planes.flatten()[original["planes_at"]].numpy() - original["planes"]).max() < 1e-4


def test_densities_and_colours_are_the_originals(scene, original):
    raw_density, raw_colour = scene.decoder(scene.planes, torch.from_numpy(original["points"]))
    # The planes themselves are float32 results, so the last digits of raw values near -100 differ.
    np.testing.assert_allclose(raw_density, original["density_raw"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(raw_colour, original["colour_raw"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(density(raw_density), original["density"], rtol=1e-4)
    np.testing.assert_allclose(colour(raw_colour), original["colour"], atol=1e-5)


def test_the_turntable_is_the_originals(scene, original):
    views = render_scene(scene, turntable(scene, (0, 90, 180, 270), 10.0, 24))
    assert views.images.shape == (4, 24, 24, 3) and views.masks.shape == (4, 24, 24)
    assert np.abs(views.images.numpy() - original["views"]).max() < 1e-4
    assert 0.05 < float((views.masks > 0.5).float().mean()) < 0.6


def test_the_mesh_is_the_originals(scene, original):
    found = triposr_mesh(scene, 40)
    wanted = scene.canonical(original["vertices"])
    assert len(found.mesh.faces) == len(original["faces"])
    size = float(np.ptp(wanted, 0).max())
    away, order = cKDTree(found.mesh.vertices).query(wanted)
    assert max(away.max(), cKDTree(wanted).query(found.mesh.vertices)[0].max()) < 1e-4 * size
    srgb = linear_to_srgb(torch.from_numpy(found.colours)).numpy()[order] * 255
    assert np.abs(srgb - original["vertex_colours"]).max() <= 1
    assert found.mesh.is_watertight and found.mesh.volume > 0
    assert np.abs(np.asarray(found.mesh.visual.vertex_colors)[:, :3] / 255 - found.colours).max() <= 0.5 / 255 + 1e-6


def test_the_official_size_has_the_official_keys():
    with torch.device("meta"):
        state = TripoSR().state_dict()
    assert len(state) == 549 and sum(t.numel() for t in state.values()) == 419_275_628
    for family, count, numbers in (
        ("image_tokenizer.model.", 200, 86_389_248),
        ("backbone.", 326, 329_535_488),
        ("decoder.", 20, 41_284),
    ):
        members = [t for key, t in state.items() if key.startswith(family)]
        assert (len(members), sum(t.numel() for t in members)) == (count, numbers), family
    assert state["tokenizer.embeddings"].shape == (3, 1024, 32, 32)
    assert state["backbone.transformer_blocks.15.ff.net.0.proj.weight"].shape == (8192, 1024)
    assert state["image_tokenizer.model.encoder.layer.11.attention.attention.query.weight"].shape == (768, 768)
    assert state["decoder.layers.18.weight"].shape == (4, 64)


def test_the_norms_are_the_originals():
    """Their least variances, which a small model's numbers don't show: models that were trained with them do."""
    with torch.device("meta"):
        model = TripoSR()
    layer_norms = {
        part: {norm.eps for norm in getattr(model, part).modules() if isinstance(norm, torch.nn.LayerNorm)}
        for part in ("image_tokenizer", "backbone")
    }
    assert layer_norms == {"image_tokenizer": {1e-12}, "backbone": {1e-5}}
    assert (model.backbone.norm.num_groups, model.backbone.norm.eps) == (32, 1e-6)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: s.pop("backbone.transformer_blocks.1.attn2.to_v.weight"), "attn2.to_v.weight"),
        (lambda s: s.update({"decoder.layers.2.weight": torch.zeros(16, 17)}), "decoder.layers.2.weight is 16×17"),
        (lambda s: s.update({"backbone.extra": torch.zeros(1)}), "backbone.extra"),
        (lambda s: s.update({"tokenizer.embeddings": torch.zeros(3, 100, 32, 32)}), "3×100×32×32"),
        (lambda s: s.pop("post_processor.upsample.weight"), "TripoSR"),
    ],
    ids=["missing", "shape", "unknown", "width", "no TripoSR"],
)
def test_a_checkpoint_that_does_not_fit_is_refused_in_one_sentence(tmp_path, change, told):
    state = tiny_state()
    change(state)
    torch.save(state, tmp_path / "model.ckpt")
    with pytest.raises(WeightsError) as error:
        load_triposr(tmp_path / "model.ckpt")
    assert told in str(error.value) and "\n" not in str(error.value)


def test_a_converted_model_keeps_its_decoder_and_stays_close(checkpoint, scene):
    half = load_triposr(checkpoint, dtype=torch.bfloat16)
    assert {p.dtype for p in half.decoder.parameters()} == {torch.float32}
    assert {p.dtype for p in half.backbone.parameters()} == {torch.bfloat16}
    planes = triposr_scene(half, *picture()).planes
    assert planes.dtype == torch.float32
    assert 0 < float((planes - scene.planes).norm() / scene.planes.norm()) < 0.02


def casting(plain):
    """A layer class that keeps its weights as they are and brings them to what comes in, as ComfyUI's do."""

    class Casting(plain):
        def forward(self, x):
            kept = self._parameters
            self._parameters = {key: value if value is None else value.to(x) for key, value in kept.items()}
            try:
                return super().forward(x)
            finally:
                self._parameters = kept

    return Casting


def test_all_weights_ride_in_the_layers_that_were_asked_for(checkpoint, scene):
    names = ("Linear", "Conv2d", "LayerNorm", "GroupNorm", "ConvTranspose2d")
    ops = SimpleNamespace(**{name: casting(getattr(torch.nn, name)) for name in names})
    model = load_triposr(checkpoint, ops)
    loose = [
        name for name, m in model.named_modules() if type(m) not in vars(ops).values() and list(m.parameters(False))
    ]
    assert loose == ["image_tokenizer.model.embeddings", "tokenizer"]
    planes = triposr_scene(model, *picture(), dtype=torch.bfloat16).planes
    assert 0 < float((planes - scene.planes).norm() / scene.planes.norm()) < 0.02
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_pictures_in_one_batch_do_not_meet(model):
    one = framed(*picture())
    with torch.inference_mode():
        both = model(torch.cat([one, 1 - one]))
        assert (both[1] - model(1 - one)[0]).abs().max() < 1e-5
    assert (both[1] - both[0]).abs().max() > 0.1


def test_positions_stay_as_they_are_on_the_grid_they_were_learned_on():
    learned = torch.rand(1, 1 + 14 * 14, 8)
    assert torch.equal(stretched_positions(learned, (14, 14)), learned)
    stretched = stretched_positions(learned, (32, 32))
    assert stretched.shape == (1, 1025, 8) and torch.equal(stretched[:, 0], learned[:, 0])


def test_a_threshold_out_of_reach_is_answered_with_one_that_works(scene):
    with pytest.raises(SurfaceError, match="densities go from") as error:
        triposr_mesh(scene, 48, 1e6)
    suggested = float(re.search(r"try ([\d.e+-]+),", str(error.value))[1])
    assert len(triposr_mesh(scene, 48, suggested).mesh.faces) > 100
    flat = replace(scene, planes=torch.zeros_like(scene.planes))
    with pytest.raises(SurfaceError, match="no threshold gives one"):
        triposr_mesh(flat, 32)


@pytest.mark.parametrize(("ratio", "padding_px"), [(0.85, 0), (1.0, 0), (0.6, 35)])
def test_the_mask_fills_the_asked_share_of_the_picture(ratio, padding_px):
    rgb, soft = np.full((500, 640, 3), 255, np.uint8), np.zeros((500, 640), np.float32)
    soft[101:402, 313:390] = 1
    shown = framed(rgb, soft, ratio, padding_px)[0, 0].numpy() > 0.75
    share = ratio * 301 / (301 + 2 * padding_px)
    x0, y0, x1, y1 = mask_box(shown)
    assert abs((y1 - y0) / 512 - share) < 2 / 512 and abs((x1 - x0) / 512 - share * 77 / 301) < 2 / 512
    assert abs(x0 + x1 - 512) <= 1 and abs(y0 + y1 - 512) <= 1
    # The plane through the origin spans 2 · 1.9 · tan 20° in the picture, and the mask there is 1 long.
    assert math.isclose(frame_of(soft, ratio, padding_px).scale * share * 2 * 1.9 * math.tan(math.radians(20)), 1)


def test_a_garment_at_the_edge_or_in_a_huge_frame_is_framed_with_grey():
    rgb, soft = picture()
    corner = np.zeros_like(soft)
    corner[:50, -30:] = 1
    for mask, ratio in ((corner, 0.85), (soft, 0.01)):
        pixels = framed(rgb, mask, ratio)
        assert pixels.shape == (1, 3, 512, 512) and bool((pixels[..., 0, :] == np.float32(127 / 255)).all())


@pytest.mark.parametrize(("ratio", "padding_px"), [(0.0, 0), (1.2, 0), (math.nan, 0), (0.85, -300)])
def test_a_frame_that_cannot_be_is_refused(ratio, padding_px):
    with pytest.raises(MaskError, match="padding"):
        framed(*picture(), ratio, padding_px)
    with pytest.raises(MaskError, match="empty"):
        framed(picture()[0], np.zeros((460, 400), np.float32))


def test_no_points_have_no_densities(scene):
    raw_density, raw_colour = scene.decoder(scene.planes, torch.zeros(0, 3))
    assert raw_density.shape == (0,) and raw_colour.shape == (0, 3)
