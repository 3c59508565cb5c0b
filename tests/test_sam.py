"""SAM against segment_anything's own SamPredictor, on a reduced model written in the official layout."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from garment3d.errors import MaskError, PromptError, UnclearGarment, WeightsError
from garment3d.images import read_photo
from garment3d.mask import sam as sam_module
from garment3d.mask.prompts import Prompt, prompt_from_text
from garment3d.mask.sam import (
    EmbeddingCache,
    auto_prompt,
    embed,
    encoder_bytes,
    load_sam,
    propose,
    sam_mask,
    soft_from_logits,
)
from garment3d.mask.sam_auto import prompt_from_mask
from garment3d.mask.sam_checkpoint import build_sam, sam_dims
from garment3d.mask.sam_embedding import Embedding, embedding_key

from .drawn import coverage, disc
from .test_quick_mask import tee
from .tiny.sam import tiny_sam, write_sam

POINT = {"points": [{"x": 1100, "y": 1500, "label": 1}]}
NEGATIVE = {"points": [[1100, 1500, 1], [40.5, 90.25, 0], [1590, 2950, 0]]}
BOX = {"box": [200, 400, 1400, 2600]}
ALL = {**NEGATIVE, **BOX}


@pytest.fixture(scope="module")
def sam_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sam") / "sam_vit_b_tiny.pth"
    write_sam(path)
    return path


@pytest.fixture(scope="module")
def sam(sam_file: Path) -> Any:
    return load_sam(sam_file)


@cache
def upright() -> np.ndarray:
    """[3000,1600,4] uint8: a portrait of cloth on paper whose colours differ everywhere, partly transparent."""
    y, x = np.ogrid[:3000, :1600]
    shape = ((x - 800) / 600) ** 2 + ((y - 1500) / 1100) ** 2 < 1
    rgba = np.empty((3000, 1600, 4), np.uint8)
    for channel, (cloth, paper) in enumerate(
        ((200 - x // 30, x // 9), (30 + x // 40 % 2 * 60, y // 12), (y // 20, x // 21))
    ):
        rgba[..., channel] = np.where(shape, cloth, paper + y // 30)
    rgba[..., 3] = np.clip(600 - np.abs(x - 800) // 2 - np.abs(y - 1500) // 4, 0, 255)
    return rgba


@pytest.fixture(scope="module")
def photo_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same picture as phones and editors write it: turned by EXIF, as an opaque JPEG and as an RGBA PNG."""
    folder = tmp_path_factory.mktemp("photos")
    stored = Image.fromarray(np.rot90(upright()))  # orientation 6 is shown turned clockwise
    exif = Image.Exif()
    exif[0x0112] = 6
    stored.save(folder / "rgba.png", exif=exif, compress_level=1)
    stored.convert("RGB").save(folder / "opaque.jpg", exif=exif, quality=92)
    return {"rgba": folder / "rgba.png", "opaque": folder / "opaque.jpg"}


@contextmanager
def encoder_runs(sam: Any) -> Iterator[list[int]]:
    runs: list[int] = []
    hook = sam.image_encoder.register_forward_hook(lambda *_: runs.append(1))
    try:
        yield runs
    finally:
        hook.remove()


def by_hand(sam: Any, rgb: np.ndarray) -> Any:
    from segment_anything import SamPredictor

    predictor = SamPredictor(sam)
    predictor.set_image(rgb)
    return predictor


def asked(predictor: Any, said: dict[str, Any], several: bool, low_res: np.ndarray | None = None) -> Any:
    points = [[p["x"], p["y"], p["label"]] if isinstance(p, dict) else p for p in said.get("points", [])]
    return predictor.predict(
        np.array([p[:2] for p in points]) if points else None,
        np.array([p[2] for p in points]) if points else None,
        np.array(said["box"]) if "box" in said else None,
        low_res,
        several,
    )


@cache
def small_photo() -> np.ndarray:
    rng = np.random.default_rng(3)
    photo = rng.integers(150, 160, (240, 200, 3)).astype(np.uint8)
    photo[60:200, 40:150] = (40, 90, 200)
    return photo


@pytest.fixture(scope="module")
def small(sam: Any) -> tuple[Any, Embedding]:
    """The library's predictor and our embedding of the small photo."""
    return by_hand(sam, small_photo()), embed(sam, small_photo())


# the file


def settings(module: torch.nn.Module) -> dict[str, Any]:
    """Every plain value that any part of a network was built with, by its path."""
    kinds = (int, float, str, bool, tuple)
    return {
        f"{name}.{key}": value
        for name, part in module.named_modules()
        for key, value in vars(part).items()
        if isinstance(value, kinds) and not key.startswith("_") and key != "training"
    }


@pytest.mark.parametrize(("name", "numbers"), [("vit_b", 93735728), ("vit_l", 312343088), ("vit_h", 641090864)])
def test_the_official_sizes_are_read_from_the_tensors(name: str, numbers: int) -> None:
    from segment_anything import sam_model_registry

    with torch.device("meta"):
        official = sam_model_registry[name]()
    tensors = official.state_dict()
    ours = build_sam(sam_dims(tensors))
    shapes = {key: tensor.shape for key, tensor in tensors.items()}
    assert {key: tensor.shape for key, tensor in ours.state_dict().items()} == shapes
    assert sum(weight.numel() for weight in ours.parameters()) + 2 * 128 == numbers
    assert [type(part) for part in ours.modules()] == [type(part) for part in official.modules()]
    wanted = settings(official)
    blocks = {f"image_encoder.blocks.{i}.{key}" for i in range(12) for key in ("window_size", "attn.num_heads")}
    assert blocks | {"image_encoder.img_size", "mask_decoder.num_multimask_outputs"} <= set(wanted)
    assert settings(ours) == wanted
    measured_gb = {"vit_b": 2.56, "vit_l": 3.31, "vit_h": 3.27}[name]  # resident memory over a pass on a CPU
    assert measured_gb < encoder_bytes(ours) / 1e9 < 1.15 * measured_gb


def test_a_file_gives_the_network_that_was_saved(sam_file: Path) -> None:
    sam, saved = load_sam(sam_file), tiny_sam()
    assert not sam.training and sam.device == torch.device("cpu")
    for (key, ours), (same, theirs) in zip(sam.state_dict().items(), saved.state_dict().items(), strict=True):
        assert key == same and torch.equal(ours, theirs)
    assert torch.equal(sam.pixel_mean, saved.pixel_mean) and torch.equal(sam.pixel_std, saved.pixel_std)
    assert not any(tensor.is_meta for tensor in (*sam.parameters(), *sam.buffers()))


def test_a_half_precision_file_is_computed_in_float32(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "sam_half.safetensors"
    save_file({key: value.half() for key, value in tiny_sam().state_dict().items()}, path)
    assert {weight.dtype for weight in load_sam(path).parameters()} == {torch.float32}


def test_files_that_are_not_sam_are_refused_in_a_sentence(tmp_path: Path) -> None:
    tensors = tiny_sam().state_dict()
    bad = {
        "none.pth": ({"a.weight": torch.ones(2)}, "a.weight"),
        "lacking.pth": ({k: v for k, v in tensors.items() if k != "image_encoder.pos_embed"}, "pos_embed"),
        "blocks.pth": ({k: v for k, v in tensors.items() if ".blocks.0." not in k}, "blocks.0"),
        "further.pth": (tensors | {"image_encoder.extra": torch.ones(1)}, "image_encoder.extra"),
        "shape.pth": (tensors | {"mask_decoder.iou_token.weight": torch.ones(1, 3)}, "1×3"),
        "odd.pth": (tensors | {"image_encoder.patch_embed.proj.weight": torch.ones(3)}, "SAM"),
        "hq.pth": (tensors | {"mask_decoder.hf_token.weight": torch.ones(1, 64)}, "SAM-HQ"),
    }
    for name, (held, told) in bad.items():
        torch.save(held, tmp_path / name)
        with pytest.raises(WeightsError) as caught:
            load_sam(tmp_path / name)
        message = str(caught.value)
        assert name in message and told in message and message.count(". ") == 0 and "\n" not in message


# the predictor


@pytest.mark.parametrize("kind", ["rgba", "opaque"])
def test_prompts_on_a_turned_3000_px_photo_give_what_sampredictor_gives(
    sam: Any, photo_files: dict[str, Path], kind: str
) -> None:
    rgb, alpha = read_photo(photo_files[kind])
    if kind == "rgba":
        pixels = upright().astype(int)
        seen = (pixels[..., :3] * pixels[..., 3:] + 255 * (255 - pixels[..., 3:]) + 127) // 255
        seen = seen.astype(np.uint8)
    else:
        seen = np.ascontiguousarray(np.rot90(np.asarray(Image.open(photo_files[kind])), -1))
    assert seen.shape == (3000, 1600, 3)
    predictor = by_hand(sam, seen)
    embedding = embed(sam, rgb, alpha=alpha)
    assert torch.equal(embedding.features, predictor.features)
    assert (embedding.hw, embedding.input_hw) == (seen.shape[:2], predictor.input_size)
    earlier = None
    with encoder_runs(sam) as runs:
        for said, several in ((POINT, True), (NEGATIVE, False), (BOX, False), (ALL, False), (ALL, False)):
            masks, scores, low_res = asked(predictor, said, several, earlier)
            prompt = prompt_from_text(json.dumps(said), rgb.shape[:2])
            assert prompt is not None
            prompt = replace(prompt, low_res=None if earlier is None else torch.from_numpy(earlier[0]))
            found = sam_mask(sam, embedding, prompt, choice="best score")
            best = int(scores.argmax())
            assert np.array_equal(found.soft >= 0.5, masks[best])
            assert found.score == scores[best]
            assert np.array_equal(found.low_res.numpy(), low_res[best])
            assert len(found.candidates) == len(scores)
            for candidate, score, low, mask in zip(found.candidates, scores, low_res, masks, strict=True):
                assert candidate.score == score and np.array_equal(candidate.low_res.numpy(), low)
                assert candidate.area == pytest.approx(mask.mean(), abs=1e-9)
            if said is ALL:
                earlier = low_res[best][None]
        assert runs == []


def test_other_choices_take_the_largest_or_the_likeliest_of_sams_answers(
    sam: Any, small: tuple[Any, Embedding], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, embedding = small
    point = Prompt(((90, 120),), (1,))
    masks, scores, low_res = predictor.predict(np.array([[90, 120]]), np.array([1]))
    assert len({int(mask.sum()) for mask in masks}) == 3
    largest = sam_mask(sam, embedding, point, choice="largest")
    assert np.array_equal(largest.soft >= 0.5, masks[masks.sum((1, 2)).argmax()])
    for wanted in range(3):
        likes = lambda binary, thumb, k=wanted: float(np.array_equal(binary, masks[k]))  # noqa: E731
        monkeypatch.setattr(sam_module, "plausibility", likes)
        found = sam_mask(sam, embedding, point)
        assert np.array_equal(found.soft >= 0.5, masks[wanted]) and found.score == scores[wanted]
        assert np.array_equal(found.low_res.numpy(), low_res[wanted])
        assert [c.plausibility for c in found.candidates] == [float(k == wanted) for k in range(3)]


def test_the_single_answer_stays_unless_it_is_no_garment(
    sam: Any, small: tuple[Any, Embedding], monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor, embedding = small
    prompt = Prompt(((90, 120), (5, 5)), (1, 0))
    single = predictor.predict(np.array([[90, 120], [5, 5]]), np.array([1, 0]), multimask_output=False)[0][0]
    monkeypatch.setattr(sam_module, "plausibility", lambda binary, thumb: 0.5)
    kept = sam_mask(sam, embedding, prompt)
    assert np.array_equal(kept.soft >= 0.5, single) and len(kept.candidates) == 1
    monkeypatch.setattr(
        sam_module, "plausibility", lambda binary, thumb: 0.1 + 0.8 * (not np.array_equal(binary, single))
    )
    other = sam_mask(sam, embedding, prompt)
    assert len(other.candidates) == 4 and not np.array_equal(other.soft >= 0.5, single)


def test_a_prompt_that_cannot_be_meant_is_refused(sam: Any, small: tuple[Any, Embedding]) -> None:
    for prompt in (
        Prompt(),
        Prompt(((201, 5),), (1,)),
        Prompt(((5, 5),), (0,)),
        Prompt(((5, 5),), (2,)),
        Prompt(((5, 5),), ()),
        Prompt(((float("nan"), 5),), (1,)),
        Prompt(box=(10, 10, 10, 40)),
        Prompt(low_res=torch.zeros(64, 64)),
        Prompt(low_res=torch.full((256, 256), float("inf"))),
    ):
        with pytest.raises(PromptError):
            sam_mask(sam, small[1], prompt)
    with pytest.raises(PromptError, match="best score"):
        sam_mask(sam, small[1], Prompt(((5, 5),), (1,)), choice="best")  # pyright: ignore[reportArgumentType]


def test_nothing_found_is_said(sam: Any, small: tuple[Any, Embedding], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(sam), "postprocess_masks", lambda self, low, size, hw: torch.full((1, 3, *hw), -1.0))
    with pytest.raises(MaskError, match="empty for 1 point on the garment"):
        sam_mask(sam, small[1], Prompt(((90, 120),), (1,)))


# the cache


def test_the_encoder_runs_once_per_photo_and_model(sam: Any) -> None:
    rgb, cache = small_photo(), EmbeddingCache(capacity=2)
    with encoder_runs(sam) as runs:
        first = cache.embed(sam, rgb)
        assert cache.embed(sam, rgb.copy()) is first and len(runs) == 1
        sam_mask(sam, first, Prompt(((90, 120),), (1,)))
        sam_mask(sam, first, Prompt(box=(30, 50, 160, 210)))
        assert len(runs) == 1
        other = rgb.copy()
        other[0, 0, 0] ^= 1
        second = cache.embed(sam, other)
        assert len(runs) == 2 and second.key != first.key
        assert cache.find(first.key) is first  # and so the second is the one not used for longest
        cache.embed(sam, rgb, alpha=np.full(rgb.shape[:2], 128, np.uint8))
        assert len(runs) == 3 and len(cache) == 2
        assert cache.find(second.key) is None and cache.find(first.key) is first


def test_another_models_embedding_is_another(sam: Any) -> None:
    rgb, other = small_photo(), tiny_sam()
    assert embedding_key(sam, rgb) == embedding_key(other, rgb)
    with torch.no_grad():
        other.image_encoder.blocks[1].attn.proj.bias[3] += 1e-3
    assert embedding_key(sam, rgb) != embedding_key(other, rgb)


# the edge


def test_the_soft_edge_of_a_straight_line_is_the_area_it_covers() -> None:
    y, x = np.mgrid[:60, :80] + 0.5
    for slope in (0.0, 0.3, 1.0, -2.0):
        corners = [(0, 20.3), (80, 20.3 + 80 * slope), (80, -400), (0, -400)]
        logits = 7 * (20.3 + slope * x - y) / np.hypot(1, slope)
        truth = coverage(np.array(corners), (60, 80))
        soft = soft_from_logits(logits.astype(np.float32))
        assert soft.dtype == np.float32 and np.abs(soft - truth).max() < 0.13
        assert np.abs(soft - truth).mean() < 0.003


def test_the_soft_edge_is_half_exactly_where_the_logits_are_positive() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1, (70, 50)).astype(np.float32)
    logits[10:20, 10:20] = 0
    logits[30:40, 30:40] = 1e-30
    soft = soft_from_logits(logits)
    assert np.array_equal(soft >= 0.5, logits > 0)
    assert soft.min() >= 0 and soft.max() <= 1
    as_file = (soft * 255 + 0.5).astype(np.uint8)
    assert np.array_equal(as_file >= 128, logits > 0)


# without a prompt


def test_the_automatic_prompt_lies_on_body_and_sleeves_and_beside_them() -> None:
    share = tee((600, 500))
    prompt = prompt_from_mask(share.astype(np.float32))
    on = [p for p, label in zip(prompt.points, prompt.labels, strict=True) if label]
    beside = [p for p, label in zip(prompt.points, prompt.labels, strict=True) if not label]
    assert len(on) >= 4 and len(beside) >= 3
    assert all(share[int(y), int(x)] == 1 for x, y in on) and all(share[int(y), int(x)] == 0 for x, y in beside)
    assert any(x < 130 for x, _ in on) and any(x > 370 for x, _ in on)  # the body spans 130 to 370
    assert prompt.box is not None
    x0, y0, x1, y1 = prompt.box
    solid = np.argwhere(share >= 0.5)
    for side, truth in zip((y0, x0, -y1, -x1), (*solid.min(0), *-(solid.max(0) + 1)), strict=True):
        assert truth - 20 <= side <= truth


def test_rough_masks_that_say_nothing_are_refused() -> None:
    rgb = small_photo()
    for rough in (np.zeros((240, 200)), np.ones((240, 200)), np.eye(240, 240)):
        with pytest.raises(MaskError):
            auto_prompt(rgb, rough=rough.astype(np.float32))
    thread = np.zeros((2400, 2000), np.float32)
    thread[100:2300, 700] = 1
    prompt = prompt_from_mask(thread)
    assert prompt.points == () and prompt.box is not None and prompt.box[0] <= 700 < prompt.box[2]


def test_a_cut_out_prompts_for_itself_and_clutter_is_not_guessed() -> None:
    rgb = small_photo()
    alpha = (disc(70, (100, 130), (240, 200)) * 255).astype(np.uint8)
    prompt = auto_prompt(rgb, alpha)
    assert prompt.box is not None and np.allclose(prompt.box, (30, 60, 170, 200), atol=5)
    with pytest.raises(UnclearGarment):
        auto_prompt(np.random.default_rng(1).integers(0, 255, (240, 200, 3)).astype(np.uint8))


def test_the_automatic_candidates_are_the_librarys_and_run_no_encoder_again(
    sam: Any, small: tuple[Any, Embedding], monkeypatch: pytest.MonkeyPatch
) -> None:
    from segment_anything import SamAutomaticMaskGenerator, automatic_mask_generator

    predictor, embedding = small
    # Untrained masks have specks all over and thus one box, so that only one would be left of them.
    everything = lambda boxes, scores, groups, iou_threshold: torch.arange(len(boxes))  # noqa: E731
    monkeypatch.setattr(automatic_mask_generator, "batched_nms", everything)
    rgb = small_photo()
    monkeypatch.setattr(sam_module, "_LEAST_SCORE", 0.0)
    monkeypatch.setattr(sam_module, "_LEAST_STABILITY", 0.0)
    generator = SamAutomaticMaskGenerator(sam, 2, 4, pred_iou_thresh=0, stability_score_thresh=0)
    theirs = generator.generate(predictor.transform.apply_image(rgb))
    wanted = theirs[4]
    asked_about = []

    def likes(binary: np.ndarray, thumb: np.ndarray) -> float:
        asked_about.append(binary)
        return float(np.array_equal(binary, wanted["segmentation"]))

    with encoder_runs(sam) as runs:
        with monkeypatch.context() as patch:
            patch.setattr(sam_module, "plausibility", likes)
            found = propose(sam, rgb, embedding=embedding, points_per_side=2)
        assert runs == []
    assert len(theirs) == 12
    for ours, record in zip(asked_about[: len(theirs)], theirs, strict=True):
        assert np.array_equal(ours, record["segmentation"])
    assert found.score == pytest.approx(wanted["predicted_iou"], abs=1e-5)
    point = np.array(wanted["point_coords"]) * np.array([200, 240]) / np.array(embedding.input_hw[::-1])
    masks, scores, _ = predictor.predict(point, np.array([1]))
    assert np.array_equal(found.soft >= 0.5, masks[np.abs(scores - wanted["predicted_iou"]).argmin()])


def test_candidates_without_a_garment_name_the_clothes_parser(
    sam: Any, small: tuple[Any, Embedding], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sam_module, "plausibility", lambda binary, thumb: 0.1)
    with pytest.raises(UnclearGarment, match=r"automatic candidates looks like one garment.*clothes parser"):
        propose(sam, small_photo(), embedding=small[1], points_per_side=1)
