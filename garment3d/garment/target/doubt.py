"""What can't be told for sure about how a target stands, in one sentence that says what was taken and what to do.

The next best pose is named, as that is what the target is if the answer is wrong.
"""

from __future__ import annotations

import numpy as np

from .evidence import Verdict
from .poses import AXES, Pose, facing, nearest_turn, plain_turn


def doubt(chosen: Pose, verdicts: list[Verdict], least: float) -> tuple[str, ...]:
    """A sentence where the two best verdicts differ by less than `least`, else none; `chosen` is what was taken.

    That a mesh with +Y up should stand on its head is not considered.
    """
    best, *others = sorted(verdicts, key=lambda verdict: -verdict.score)
    near = [other.settled.pose for other in others if best.score - other.score < least]
    if _up(chosen) == "+Y":
        near = [pose for pose in near if _up(pose) == "+Y"]
    return tuple(_sentence(chosen, pose) for pose in near[:1])


def _sentence(chosen: Pose, other: Pose) -> str:
    front, up = facing(chosen), _up(chosen)
    if up != _up(other):
        return (
            f"Which way up the mesh stands can't be told for sure; {up} was taken for up: "
            "turn it so that +Y is up, and give its front, if it is wrong."
        )
    if front != facing(other):
        against = "back" if front[1] == facing(other)[1] else "side"
        return (
            f"The mesh's front can't be told from its {against} for sure; {front} was taken: "
            "say so with the front option if it is wrong."
        )
    if chosen.mirrored:
        taken, remedy = "un-mirrored", "give a mesh with colours"
    else:
        taken, remedy = "taken as it is", "mirror it first"
    return (
        f"The mesh can't be told from its mirror image for sure; it was {taken}: "
        f"{remedy} if left and right come out swapped."
    )


def _up(pose: Pose) -> str:
    """The axis of the target that a pose turns upwards."""
    row = nearest_turn(plain_turn(pose))[1]
    axis = int(np.abs(row).argmax())
    return AXES[2 * axis + int(row[axis] < 0)]
