"""The garment's mask by SAM: through segment_anything's own SamPredictor, so that its results are the library's.

Of SAM's several answers the one is taken that is sharp and looks like one whole garment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np

from ..errors import MaskError, PromptError, UnclearGarment
from .plausible import plausibility
from .prompts import Prompt, checked_prompt, describe
from .sam_auto import auto_prompt as auto_prompt
from .sam_checkpoint import load_sam as load_sam
from .sam_embedding import THUMB_PX, Embedding, predictor_for
from .sam_embedding import EmbeddingCache as EmbeddingCache
from .sam_embedding import decoder_bytes as decoder_bytes
from .sam_embedding import embed as embed
from .sam_embedding import embedding_key as embedding_key
from .sam_embedding import encoder_bytes as encoder_bytes

if TYPE_CHECKING:
    import torch
    from segment_anything import SamPredictor
    from segment_anything.modeling import Sam

Choice = Literal["auto", "best score", "largest"]

LEAST_PLAUSIBLE = 0.3
"""Below this an answer is not taken for a garment while there are others."""
POINTS_PER_SIDE = 12
"""Grid of the automatic candidates: a garment is large, so 12 a side meet it many times; SAM's own 32 are for all."""
_POINTS_AT_ONCE = 16
_LEAST_SCORE, _LEAST_STABILITY = 0.8, 0.85
"""SAM's thresholds for automatic candidates, a little below its own: printed cloth makes it less sure."""
_BELOW_HALF = np.nextafter(np.float32(0.5), np.float32(0))


class Candidate(NamedTuple):
    """One of SAM's answers."""

    score: float
    """SAM's own prediction of its IoU with the truth."""
    plausibility: float
    """How much it looks like one whole garment, 0..1."""
    area: float
    """Part of the photo it covers, 0..1."""
    low_res: torch.Tensor
    """[256,256] float32 logits."""


@dataclass(frozen=True, eq=False)
class SamMask:
    """The answer taken, and those it was taken from."""

    soft: np.ndarray
    """[H,W] float32, 1 = garment; ≥ 0.5 exactly where SamPredictor's binary mask is true."""
    score: float
    low_res: torch.Tensor
    """[256,256] float32 logits: give them in the next prompt to refine this mask."""
    candidates: tuple[Candidate, ...]


class _Answer(NamedTuple):
    logits: np.ndarray
    """[H,W] float32 at the photo's size."""
    candidate: Candidate


def sam_mask(
    sam: Sam, embedding: Embedding, prompt: Prompt, device: str | torch.device = "cpu", choice: Choice = "auto"
) -> SamMask:
    """[H,W] float32 soft mask for a prompt, by one pass of the decoder; nothing found raises MaskError.

    One point alone is ambiguous, and SAM answers with three masks; all else gets a single mask, as its authors advise.

    Args:
        choice: "best score" goes by SAM's own score. "auto" goes by score and likeness to a garment, and looks at all
            four answers where the single one is no garment. "largest" takes the largest of the three.
    """
    if choice not in get_args(Choice):
        raise PromptError(f'The choice "{choice}" is not one of {", ".join(get_args(Choice))}.')
    checked_prompt(prompt, embedding.hw)
    _check_low_res(sam, prompt)
    predictor = predictor_for(sam, embedding, device)
    ambiguous = len(prompt.points) == 1 and prompt.box is None and prompt.low_res is None
    answers = _ask(predictor, embedding, prompt, ambiguous or choice == "largest")
    if choice == "auto" and not ambiguous and answers[0].candidate.plausibility < LEAST_PLAUSIBLE:
        answers += _ask(predictor, embedding, prompt, True)
    taken = max(answers, key=lambda answer: _worth(answer.candidate, choice))
    if not 0 < taken.candidate.area < 1:
        cover = "is empty" if taken.candidate.area == 0 else "covers the whole photo"
        raise MaskError(f"SAM's mask {cover} for {describe(prompt)}; move the points or draw a box around the garment.")
    return _finished(taken, answers)


def propose(
    sam: Sam,
    rgb: np.ndarray,
    device: str | torch.device = "cpu",
    embedding: Embedding | None = None,
    points_per_side: int = POINTS_PER_SIDE,
) -> SamMask:
    """[H,W] float32 soft mask of what looks most like a garment among SAM's automatic candidates, without any prompt.

    The candidates are SamAutomaticMaskGenerator's for a grid of points.

    Args:
        embedding: of this photo by this model, where it is at hand.

    Raises:
        UnclearGarment: none of the candidates looks like one garment.
    """
    embedding = embedding or embed(sam, rgb, device)
    best, best_worth, count = None, 0.0, 0
    for record in _automatic(sam, embedding, device, points_per_side):
        likeness, count = plausibility(record["segmentation"], embedding.thumb), count + 1
        if likeness >= LEAST_PLAUSIBLE and likeness * record["predicted_iou"] > best_worth:
            best, best_worth = record, likeness * record["predicted_iou"]
    if best is None:
        raise UnclearGarment(
            f"None of SAM's {count} automatic candidates looks like one garment: "
            "give a point or a box, or use the clothes parser on a person."
        )
    # The candidate came from one point; asked again it is had at the photo's size, with a soft edge.
    scale = np.array(embedding.hw[::-1]) / np.array(embedding.input_hw[::-1])
    x, y = (np.array(best["point_coords"][0]) * scale).tolist()
    answers = _ask(predictor_for(sam, embedding, device), embedding, Prompt(((x, y),), (1,)), True)
    taken = min(answers, key=lambda answer: abs(answer.candidate.score - best["predicted_iou"]))
    return _finished(taken, answers)


def soft_from_logits(logits: np.ndarray) -> np.ndarray:
    """[H,W] float32 share of each pixel inside the zero line of upsampled logits; ≥ 0.5 exactly where logits > 0.

    Logit over slope is the distance to that line in pixels, and a straight edge at that distance covers 0.5 + distance
    of a pixel: an edge as sharp as the photo's, where a sigmoid would smear it over SAM's coarse grid.
    """
    inside = logits > 0
    soft = inside.astype(np.float32)
    y, x = np.nonzero(_rim(inside))
    up, down = np.maximum(y - 1, 0), np.minimum(y + 1, logits.shape[0] - 1)
    left, right = np.maximum(x - 1, 0), np.minimum(x + 1, logits.shape[1] - 1)
    slope_y = (logits[down, x] - logits[up, x]) / np.maximum(down - up, 1)
    slope_x = (logits[y, right] - logits[y, left]) / np.maximum(right - left, 1)
    distance_px = logits[y, x] / np.maximum(np.hypot(slope_y, slope_x), 1e-12)
    share = np.clip(0.5 + distance_px, 0, 1).astype(np.float32)
    soft[y, x] = np.where(inside[y, x], share, np.minimum(share, _BELOW_HALF))
    return soft


def _rim(inside: np.ndarray) -> np.ndarray:
    """[H,W] bool of the pixels on both sides of the outline."""
    rim = np.zeros(inside.shape, bool)
    across, along = inside[:, 1:] != inside[:, :-1], inside[1:] != inside[:-1]
    for side in (np.s_[:, 1:], np.s_[:, :-1]):
        rim[side] |= across
    for side in (np.s_[1:], np.s_[:-1]):
        rim[side] |= along
    return rim


def _ask(predictor: SamPredictor, embedding: Embedding, prompt: Prompt, several: bool) -> list[_Answer]:
    """SAM's single answer, or its three."""
    import torch

    points = np.array(prompt.points, float) if prompt.points else None
    labels = np.array(prompt.labels) if prompt.points else None
    box = np.array(prompt.box, float) if prompt.box is not None else None
    earlier = None if prompt.low_res is None else prompt.low_res.detach().cpu().numpy()[None]
    masks, scores, low_res = predictor.predict(points, labels, box, earlier, several, return_logits=True)
    step = max(1, max(embedding.hw) // THUMB_PX)
    answers = []
    for logits, score, low in zip(masks, scores, low_res, strict=True):
        inside = logits > 0
        likeness = plausibility(inside[::step, ::step], embedding.thumb)
        answers.append(_Answer(logits, Candidate(float(score), likeness, float(inside.mean()), torch.from_numpy(low))))
    return answers


def _worth(candidate: Candidate, choice: Choice) -> tuple[float, float]:
    if choice == "largest":
        return candidate.area, candidate.score
    if choice == "best score":
        return candidate.score, 0.0
    return min(max(candidate.score, 0.0), 1.0) * candidate.plausibility, candidate.score


def _finished(taken: _Answer, answers: list[_Answer]) -> SamMask:
    chosen = taken.candidate
    return SamMask(
        soft_from_logits(taken.logits), chosen.score, chosen.low_res.clone(), tuple(a.candidate for a in answers)
    )


def _automatic(
    sam: Sam, embedding: Embedding, device: str | torch.device, points_per_side: int
) -> list[dict[str, Any]]:
    """SamAutomaticMaskGenerator's records at the size that SAM sees; at the photo's size they would fill the memory."""
    from segment_anything import SamAutomaticMaskGenerator

    generator = SamAutomaticMaskGenerator(
        sam.to(device),
        points_per_side=points_per_side,
        points_per_batch=_POINTS_AT_ONCE,
        pred_iou_thresh=_LEAST_SCORE,
        stability_score_thresh=_LEAST_STABILITY,
    )
    generator.predictor = predictor_for(sam, replace(embedding, hw=embedding.input_hw), device)
    generator.predictor.set_image = lambda image: None  # it is embedded already
    return generator.generate(np.zeros((*embedding.input_hw, 3), np.uint8))


def _check_low_res(sam: Sam, prompt: Prompt) -> None:
    wanted = tuple(sam.prompt_encoder.mask_input_size)
    if prompt.low_res is not None and tuple(prompt.low_res.shape) != wanted:
        found = "×".join(map(str, prompt.low_res.shape))
        raise PromptError(
            f"The earlier mask is {found}, and SAM takes {wanted[0]}×{wanted[1]} logits: its own low_res."
        )
