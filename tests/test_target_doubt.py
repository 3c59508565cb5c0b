"""What the shape of a solid can't tell about how it stands is said, and nothing else is."""

import numpy as np
import pytest

from garment3d.garment.target import align, tidy
from garment3d.garment.target.doubt import doubt
from garment3d.garment.target.evidence import Verdict
from garment3d.garment.target.poses import Pose
from garment3d.garment.target.settle import Settled

from .test_target_align import boxes, photo_of


def verdict(score, *rows):
    return Verdict(Settled(Pose(np.array(rows, float), np.zeros(3)), 0.9, 0.01, 0.01), score)


AS_IT_IS = (1, 0, 0), (0, 1, 0), (0, 0, 1)
TURNED = (-1, 0, 0), (0, 1, 0), (0, 0, -1)
SIDEWAYS = (0, 0, -1), (0, 1, 0), (1, 0, 0)
MIRRORED = (-1, 0, 0), (0, 1, 0), (0, 0, 1)
ROLLED = (0, -1, 0), (1, 0, 0), (0, 0, 1)


@pytest.mark.parametrize(
    ("chosen", "other", "said"),
    [
        (AS_IT_IS, TURNED, "front can't be told from its back for sure; +Z was taken"),
        (TURNED, AS_IT_IS, "front can't be told from its back for sure; -Z was taken"),
        (SIDEWAYS, AS_IT_IS, "front can't be told from its side for sure; +X was taken"),
        (ROLLED, AS_IT_IS, "Which way up the mesh stands can't be told for sure; +X was taken"),
        (AS_IT_IS, MIRRORED, "mirror image for sure; it was taken as it is"),
        (MIRRORED, AS_IT_IS, "mirror image for sure; it was un-mirrored"),
    ],
)
def test_a_narrow_lead_is_told_in_one_sentence(chosen, other, said):
    third = verdict(-5, *AS_IT_IS)
    verdicts = [third, verdict(2.0, *other), verdict(2.5, *chosen)]
    (sentence,) = doubt(verdicts[2].settled.pose, verdicts, 0.6)
    assert said in sentence and sentence.count(". ") == 0 and sentence.endswith(".")
    assert doubt(verdicts[2].settled.pose, verdicts, 0.4) == ()


def test_a_mesh_that_stands_upright_may_not_stand_on_its_head():
    verdicts = [verdict(2.5, *AS_IT_IS), verdict(2.4, *ROLLED)]
    assert doubt(verdicts[0].settled.pose, verdicts, 1.0) == ()


def test_one_way_to_stand_leaves_no_doubt():
    only = verdict(0, *AS_IT_IS)
    assert doubt(only.settled.pose, [only], 1.0) == ()


def test_a_post_alike_on_all_four_sides_is_doubted():
    post = boxes(((0.4, 1.0, 0.4), (0, 0, 0)))
    found = align(tidy(post), post, photo_of((-0.2, -0.5, 0.2, 0.5)))
    assert found.front == "+Z" and ["from its side" in warning for warning in found.warnings] == [True]
