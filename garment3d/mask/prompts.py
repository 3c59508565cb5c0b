"""Points and a box that say which thing in the photo is the garment, and the texts that people and editors write.

Everything is in pixels of the upright photo: x to the right, y down, as picture editors show them.
"""

from __future__ import annotations

import ast
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import PromptError

if TYPE_CHECKING:
    import torch

Box = tuple[float, float, float, float]
Point = tuple[float, float]

FORMS = '{"points": [[x, y, 1], …], "box": [x0, y0, x1, y1]}'
_LARGEST = sys.float_info.max
_EXAMPLE = f"write {FORMS} in pixels of the photo, label 1 on the garment and 0 beside it"
_KNOWN = {"points", "labels", "point_coords", "point_labels", "positive", "negative", "box", "boxes", "bbox", "bboxes"}


@dataclass(frozen=True, eq=False)
class Prompt:
    """What SAM is told; points, a box, an earlier mask, or several of them."""

    points: tuple[Point, ...] = ()
    """(x, y) in pixels."""
    labels: tuple[int, ...] = ()
    """One per point: 1 = on the garment, 0 = not."""
    box: Box | None = None
    """x0, y0, x1, y1 in pixels."""
    low_res: torch.Tensor | None = None
    """[256,256] float32 logits of an earlier answer, or None."""


def prompt_from_text(text: str, hw: tuple[int, int]) -> Prompt | None:
    """The prompt that a JSON text means for a photo of that size; an empty text or empty lists give None.

    Besides the form in `FORMS`: {"x", "y", "label"} points, a list of points alone, {"positive": […], "negative": […]},
    and boxes as corners, {"x", "y", "width", "height"} or {"startX", "startY", "endX", "endY"}.

    Raises:
        PromptError: unreadable, outside the photo, an empty box, or nothing that is on the garment.
    """
    if not text.strip():
        return None
    said = _parsed(text)
    if said is None:
        return None
    if isinstance(said, Mapping):
        unknown = [str(key) for key in said if key not in _KNOWN and not _is_point(said)]
        if unknown:
            raise PromptError(f'The prompt has "{unknown[0]}", which is not known; {_EXAMPLE}.')
    marked = list(_marked(said))
    prompt = Prompt(tuple((x, y) for x, y, _ in marked), tuple(label for *_, label in marked), _box(said))
    if not prompt.points and prompt.box is None:
        return None
    return checked_prompt(prompt, hw)


def checked_prompt(prompt: Prompt, hw: tuple[int, int]) -> Prompt:
    """The same prompt if it can be meant for a photo of that size; otherwise PromptError."""
    photo = f"the {hw[1]}×{hw[0]} px photo"
    if len(prompt.points) != len(prompt.labels) or not set(prompt.labels) <= {0, 1}:
        told = f"{len(prompt.points)} points have the labels {list(prompt.labels)}"
        raise PromptError(f"The prompt's {told}; give each point 1 (garment) or 0 (not).")
    for x, y in prompt.points:
        if not (0 <= x <= hw[1] and 0 <= y <= hw[0]):
            raise PromptError(f"The point ({x:g}, {y:g}) is outside {photo}; give pixels of the upright photo.")
    if prompt.box is not None:
        _check_box(prompt.box, hw, photo)
    if prompt.low_res is not None and not bool(prompt.low_res.isfinite().all()):
        raise PromptError("The earlier mask holds values that are no numbers; give the low_res of an earlier answer.")
    if 1 not in prompt.labels and prompt.box is None and prompt.low_res is None:
        count = f"all {len(prompt.points)} points are" if prompt.points else "no point is"
        negative = " beside it (label 0)" if prompt.points else " given"
        raise PromptError(f"In the prompt {count}{negative}; add a point on the garment (label 1) or a box around it.")
    return prompt


def describe(prompt: Prompt) -> str:
    """What SAM is told, in a few words for a log or a report; an empty prompt gives "nothing"."""
    on, beside = prompt.labels.count(1), prompt.labels.count(0)
    parts = [f"{n} point{'s' if n > 1 else ''} {where}" for n, where in ((on, "on"), (beside, "beside")) if n]
    if parts:
        parts[-1] += " the garment"
    if prompt.box is not None:
        x0, y0, x1, y1 = prompt.box
        parts.append(f"a box of {x1 - x0:.0f}×{y1 - y0:.0f} px")
    if prompt.low_res is not None:
        parts.append("an earlier mask")
    return ", ".join(parts) or "nothing"


def _check_box(box: Box, hw: tuple[int, int], photo: str) -> None:
    x0, y0, x1, y1 = box
    told = f"The box ({x0:g}, {y0:g}, {x1:g}, {y1:g})"
    if not all(map(math.isfinite, box)) or not (x1 - x0 >= 1 and y1 - y0 >= 1):
        raise PromptError(f"{told} is empty; give x0, y0, x1, y1 with x1 and y1 at least one pixel larger.")
    if not (0 <= x0 and 0 <= y0 and x1 <= hw[1] and y1 <= hw[0]):
        raise PromptError(f"{told} reaches outside {photo}; give pixels of the upright photo.")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip())  # packs pass str() of a Python list, with single quotes
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        start = text.strip()[:40]
        raise PromptError(f'The prompt "{start}" can\'t be read as JSON; {_EXAMPLE}.') from error


def _marked(said: Any) -> Iterator[tuple[float, float, int]]:
    """x, y, label of every point in any of the known forms."""
    if not isinstance(said, Mapping):
        yield from _points(said, 1)
        return
    if _is_point(said):
        yield _point(said, 1)
        return
    plain = said.get("points", said.get("point_coords")) or []
    if isinstance(plain, Mapping):
        plain = [plain]
    labels = said.get("labels", said.get("point_labels"))
    if labels is None:
        yield from _points(plain, 1)
    else:
        yield from _labelled(plain, labels)
    yield from _points(said.get("positive") or [], 1)
    yield from _points(said.get("negative") or [], 0)


def _points(many: Any, label: int) -> Iterator[tuple[float, float, int]]:
    if not isinstance(many, Sequence) or isinstance(many, str):
        raise PromptError(f'"{_short(many)}" is no list of points; {_EXAMPLE}.')
    if len(many) in (2, 3) and all(_is_number(value) for value in many):
        yield _point(many, label)  # one point without its list
        return
    for one in many:
        if one != {}:  # what an editor leaves where nothing was clicked
            yield _point(one, label)


def _labelled(points: Any, labels: Any) -> Iterator[tuple[float, float, int]]:
    found = list(_points(points, 1))
    given = [labels] if _is_number(labels) else labels
    if not isinstance(given, Sequence) or len(given) != len(found):
        raise PromptError(f'{len(found)} points have the labels "{_short(labels)}"; give one label per point.')
    yield from ((x, y, _label(label)) for (x, y, _), label in zip(found, given, strict=True))


def _point(one: Any, label: int) -> tuple[float, float, int]:
    if _is_point(one):
        return _number(one["x"], "x"), _number(one["y"], "y"), _label(one.get("label", label))
    if isinstance(one, Sequence) and not isinstance(one, str) and len(one) in (2, 3):
        return _number(one[0], "x"), _number(one[1], "y"), _label(one[2] if len(one) == 3 else label)
    raise PromptError(f'"{_short(one)}" is no point; {_EXAMPLE}.')


def _box(said: Any) -> Box | None:
    """The one box of the text, or None; several boxes can't be meant for one garment."""
    if not isinstance(said, Mapping):
        return None
    given = next((said[key] for key in ("box", "boxes", "bbox", "bboxes") if said.get(key)), None)
    if isinstance(given, Sequence) and not isinstance(given, str) and not all(map(_is_number, given)):
        boxes = [one for one in given if one]
        if len(boxes) > 1:
            raise PromptError(f"The prompt has {len(boxes)} boxes and one garment has one; give a single box.")
        given = boxes[0] if boxes else None
    if not given:
        return None
    if isinstance(given, Mapping):
        given = _corners(given)
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != 4:
        raise PromptError(f'"{_short(given)}" is no box; {_EXAMPLE}.')
    x0, y0, x1, y1 = (_number(value, "box") for value in given)
    return x0, y0, x1, y1


def _corners(box: Mapping[str, Any]) -> Any:
    for names in (("x0", "y0", "x1", "y1"), ("x1", "y1", "x2", "y2"), ("left", "top", "right", "bottom")):
        if all(name in box for name in names):
            return [box[name] for name in names]
    if all(name in box for name in ("startX", "startY", "endX", "endY")):  # drawn from any corner to the other
        xs, ys = (sorted(_number(box[end + axis], end + axis) for end in ("start", "end")) for axis in "XY")
        return [xs[0], ys[0], xs[1], ys[1]]
    if all(name in box for name in ("x", "y", "width", "height")):
        x, y = _number(box["x"], "x"), _number(box["y"], "y")
        return [x, y, x + _number(box["width"], "width"), y + _number(box["height"], "height")]
    return box


def _is_point(one: Any) -> bool:
    return isinstance(one, Mapping) and "x" in one and "y" in one


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: Any, name: str) -> float:
    # Compared as it is: an int of hundreds of digits has no float.
    if not _is_number(value) or not -_LARGEST <= value <= _LARGEST:
        raise PromptError(f'The prompt\'s {name} is "{_short(value)}" and no number; {_EXAMPLE}.')
    return float(value)


def _label(value: Any) -> int:
    if value in (0, 1) and not isinstance(value, str):  # true and false count as 1 and 0
        return int(value)
    raise PromptError(f'The label "{_short(value)}" is neither 1 (on the garment) nor 0 (beside it).')


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, skipkeys=True)
    return text if len(text) <= 40 else f"{text[:39]}…"
