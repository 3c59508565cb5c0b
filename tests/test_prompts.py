"""Prompts as people and point editors write them, and the sentences for those that can't be meant."""

from __future__ import annotations

import pytest
import torch

from garment3d.errors import PromptError
from garment3d.mask.prompts import Prompt, describe, prompt_from_text

HW = (400, 300)
TWO = ((10.0, 20.0), (30.5, 40.0))

SAME = [
    '{"points": [{"x": 10, "y": 20, "label": 1}, {"x": 30.5, "y": 40, "label": 0}]}',
    '{"points": [[10, 20, 1], [30.5, 40, 0]]}',
    "[[10, 20, 1], [30.5, 40, 0]]",
    '[{"x": 10, "y": 20}, {"x": 30.5, "y": 40, "label": false}]',
    '{"points": [[10, 20], [30.5, 40]], "labels": [1, 0]}',
    '{"point_coords": [[10, 20], [30.5, 40]], "point_labels": [1, 0], "box": null}',
    '{"positive": [{"x": 10, "y": 20}], "negative": [{"x": 30.5, "y": 40}]}',
    "{'positive': [{'x': 10, 'y': 20}], 'negative': [{'x': 30.5, 'y': 40}]}",
    '{"positive": [[10, 20]], "negative": [30.5, 40], "bboxes": [{}]}',
    ' {"points": [[10, 20, true], [30.5, 40, 0.0]]}\n',
]

BOXES = [
    '{"box": [5, 6, 105, 206]}',
    '{"box": [[5, 6, 105, 206]], "points": []}',
    '{"bboxes": [[5, 6, 105, 206]]}',
    '{"bbox": {"x": 5, "y": 6, "width": 100, "height": 200}}',
    '{"box": {"x1": 5, "y1": 6, "x2": 105, "y2": 206}}',
    '{"box": {"x0": 5, "y0": 6, "x1": 105, "y1": 206}}',
    '{"bboxes": [{"startX": 105, "startY": 6, "endX": 5, "endY": 206}]}',
    '{"box": {"left": 5, "top": 6, "right": 105, "bottom": 206}, "positive": [], "negative": []}',
]

NOTHING = ["", "  \n", "[]", "{}", '{"points": []}', '{"positive": [], "negative": [], "bboxes": [{}]}', "[{}]", "null"]

REFUSED = {
    "click the shirt": "can't be read as JSON",
    '{"points": [[1, 2, 1]': "can't be read as JSON",
    "__import__('os').remove('x')": "can't be read as JSON",
    "5": "no list of points",
    '"10, 20"': "no list of points",
    '{"points": [[300.5, 20, 1]]}': "(300.5, 20) is outside the 300×400 px photo",
    '{"points": [[20, 401, 1]]}': "(20, 401) is outside",
    '{"points": [[-1, 20, 1]]}': "(-1, 20) is outside",
    '{"points": [[NaN, 20, 1]]}': '"NaN" and no number',
    '{"points": [[Infinity, 20, 1]]}': '"Infinity" and no number',
    '{"points": [["10", 20, 1]]}': '"10" and no number',
    '{"points": [[true, 20, 1]]}': '"true" and no number',
    '{"points": [[10, 20, 2]]}': 'label "2" is neither',
    '{"points": [[10, 20, "1"]]}': 'label "1" is neither',
    '{"points": [[10, 20, null]]}': 'label "null" is neither',
    '{"points": [[10, 20, 1, 1]]}': "is no point",
    '{"points": [{"x": 10}]}': "is no point",
    '{"points": [[10, 20], [1, 2]], "labels": [1]}': "2 points have the labels",
    '{"points": [[10, 20, 0]]}': "all 1 points are beside it",
    '{"negative": [{"x": 0, "y": 0}], "positive": []}': "add a point on the garment",
    '{"box": [10, 20, 10, 90]}': "(10, 20, 10, 90) is empty",
    '{"box": [90, 20, 10, 90]}': "is empty",
    '{"box": [10, 20, 301, 90]}': "reaches outside the 300×400 px photo",
    '{"box": [10, 20, NaN, 90]}': '"NaN" and no number',
    '{"box": [10, 20, 90]}': "is no box",
    '{"box": "all"}': "is no box",
    '{"box": {"x": 5}}': "is no box",
    '{"box": {"startX": "a", "startY": 1, "endX": 9, "endY": 9}}': '"a" and no number',
    '{"box": {"startX": null, "startY": 1, "endX": 9, "endY": 9}}': '"null" and no number',
    f'{{"points": [[1{"0" * 400}, 20, 1]]}}': "and no number",
    "{'points': [{(1, 2): 3}]}": "is no point",
    '{"boxes": [[1, 1, 9, 9], [20, 20, 40, 40]]}': "2 boxes",
    '{"dots": [[10, 20, 1]]}': '"dots", which is not known',
}


@pytest.mark.parametrize("text", SAME)
def test_every_way_to_write_two_points_means_the_same(text: str) -> None:
    prompt = prompt_from_text(text, HW)
    assert prompt is not None and prompt.box is None and prompt.low_res is None
    assert (prompt.points, prompt.labels) == (TWO, (1, 0))


@pytest.mark.parametrize("text", BOXES)
def test_every_way_to_write_a_box_means_the_same(text: str) -> None:
    prompt = prompt_from_text(text, HW)
    assert prompt is not None and prompt.points == () and prompt.box == (5, 6, 105, 206)


def test_one_point_needs_no_list_and_counts_as_on_the_garment() -> None:
    for text in ('{"x": 10, "y": 20}', "[10, 20]", "[10, 20, 1]", '{"points": {"x": 10, "y": 20}}', "[[10, 20]]"):
        prompt = prompt_from_text(text, HW)
        assert prompt is not None and (prompt.points, prompt.labels) == (((10, 20),), (1,))


def test_points_beside_the_garment_are_enough_with_a_box() -> None:
    prompt = prompt_from_text('{"negative": [{"x": 0, "y": 0}], "box": [0, 0, 300, 400]}', HW)
    assert prompt is not None and prompt.labels == (0,) and prompt.box == (0, 0, 300, 400)


@pytest.mark.parametrize("text", NOTHING)
def test_an_editor_left_empty_prompts_nothing(text: str) -> None:
    assert prompt_from_text(text, HW) is None


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_meant_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(PromptError) as caught:
        prompt_from_text(text, HW)
    message = str(caught.value)
    assert REFUSED[text] in message
    assert message.endswith(".") and message.count(". ") == 0 and "\n" not in message and len(message) < 260


def test_texts_nested_without_end_are_refused() -> None:
    for text in ("[" * 100_000, "[" * 900 + "]" * 900, '{"points": ' * 5000):
        with pytest.raises(PromptError):
            prompt_from_text(text, HW)


def test_a_prompt_is_described_in_a_few_words() -> None:
    assert describe(Prompt(TWO, (1, 0), (5, 6, 105, 206))) == (
        "1 point on, 1 point beside the garment, a box of 100×200 px"
    )
    assert describe(Prompt(TWO, (1, 1), low_res=torch.zeros(256, 256))) == "2 points on the garment, an earlier mask"
    assert describe(Prompt()) == "nothing"
