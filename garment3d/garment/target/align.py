"""Where a target stands before the photo: its front, scale, offset and small turns, found by silhouette and shell.

One photo cannot tell a garment from its mirror image seen from behind; colours or the cut settle that, else the
plainest answer stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...errors import MeshError
from .cloth import Cloth, Frame, cloth_of, cloth_of_shell, tree_of
from .contour import mesh_silhouette, photo_silhouette
from .doubt import doubt
from .evidence import Verdict, judged
from .outer import Outer, outer_layer
from .poses import AXES, Guess, Pose, facing, front_of, guesses, nearest_turn, plain_turn
from .settle import Reference, Settled, reference_of, settle
from .tidy import Tidied, tidy

if TYPE_CHECKING:
    import trimesh
    from scipy.spatial import KDTree

FAMILIES, HOPEFUL = 3, 0.12
"""Ways to stand that are tried out, and how far below the best one's IoU their first guess may lie."""
LIKELIER = 0.01
"""IoU by which a way to stand must beat the one before it."""
UPRIGHT, FACED = 0.02, 1.2
"""Lead below which a way to stand, and a front with left and right, are not sure."""
LEAST_IOU = 0.5
"""Below this the target has nothing to do with the photo."""


class Alignment(NamedTuple):
    """How a target is brought into the canonical frame."""

    matrix: np.ndarray
    """[4,4] similarity from the target's frame; where `mirrored` it turns faces inside out, so wind them back."""
    front: str
    """The target's own axis that faces the photo's camera: "+X", "-X", "+Y", "-Y", "+Z" or "-Z"."""
    mirrored: bool
    """Whether left and right were swapped."""
    scale: float
    """Canonical units per unit of the target."""
    offset: tuple[float, float, float]
    """Where the target's origin goes."""
    turn_deg: float
    """Angle beyond the axis turn."""
    iou: float
    """Of the silhouettes, 0..1."""
    warnings: tuple[str, ...]


def align(
    target: Tidied,
    shell: trimesh.Trimesh,
    soft: np.ndarray,
    rgb: np.ndarray | None = None,
    front: str = "auto",
    outer: Outer | None = None,
) -> Alignment:
    """The Alignment of a target with the photo's [H,W] soft mask and its shell.

    Args:
        target: the tidied mesh in any frame.
        shell: the open shell of the same mask, in the canonical frame.
        soft: mask in 0..1.
        rgb: [H,W,3] uint8 photo; the target's colours are held against it.
        front: the target's axis that faces the camera, where it is known.
        outer: the target's outer layer, where it is known.

    Raises:
        MeshError: no pose gives a silhouette that has to do with the mask.
    """
    if front != "auto" and front not in AXES:
        raise MeshError(f'The front axis "{front}" is none; give "auto" or one of {", ".join(AXES)}.')
    cloth, frame = cloth_of(target, outer_layer(target.vertices, target.faces) if outer is None else outer)
    photo = photo_silhouette(soft)
    plain = tidy(shell)
    reference = reference_of(photo, cloth_of_shell(plain))
    tree = tree_of(cloth)
    ways = _standing(cloth, tree, reference, front)
    sides = _told_apart(_best(ways), cloth, tree, reference, soft, rgb, front)
    settled = settle(cloth, tree, reference, _best(sides).pose, 6)
    if settled.iou < LEAST_IOU:
        raise MeshError(
            f"The mesh has no overlap with the photo worth the name (IoU {settled.iou:.2f}, at least {LEAST_IOU} is "
            "needed): give the mesh that was made from this photo, or set its front axis."
        )
    unsure = doubt(settled.pose, ways, UPRIGHT) or doubt(settled.pose, sides, FACED)
    return _reported(settled, frame, unsure)


def _best(verdicts: list[Verdict]) -> Settled:
    return max(verdicts, key=lambda verdict: verdict.score).settled


def _standing(cloth: Cloth, tree: KDTree, reference: Reference, front: str) -> list[Verdict]:
    """Ways to stand by how they fit silhouette and shell, up to what none tells: front from back, mirrored or not."""
    families: dict[tuple[float, ...], list[Guess]] = {}
    for guess in guesses(cloth.vertices, cloth.faces, reference.goal.photo, front):
        turn = np.rint(guess.pose.turn)
        families.setdefault((*np.abs(turn[0]), *turn[1]), []).append(guess)
    iou = {key: max(guess.iou for guess in family) for key, family in families.items()}
    best = sorted(iou, key=lambda key: -iou[key])[:FAMILIES]
    hopeful = [family for key, family in families.items() if key in best and iou[key] > iou[best[0]] - HOPEFUL]
    # Families come in order of likelihood.
    tried = [settle(cloth, tree, reference, max(f, key=lambda g: g.iou).pose, 8) for f in hopeful]
    return [Verdict(found, found.iou - 3 * found.apart - LIKELIER * rank) for rank, found in enumerate(tried)]


def _told_apart(
    standing: Settled,
    cloth: Cloth,
    tree: KDTree,
    reference: Reference,
    soft: np.ndarray,
    rgb: np.ndarray | None,
    front: str,
) -> list[Verdict]:
    """The up to four poses whose silhouettes are the same or mirrored, judged."""
    verdicts = []
    for signs in ((1, 1, 1), (-1, 1, -1), (-1, 1, 1), (1, 1, -1)):
        flip = np.diag(np.array(signs, float))
        start = _matched(Pose(flip @ standing.pose.linear, flip @ standing.pose.shift), cloth, reference)
        faces = facing(start)
        if front in ("auto", faces):
            settled = settle(cloth, tree, reference, start, 8)
            verdicts.append(judged(settled, cloth, soft, rgb, faces == "+Z"))
    return verdicts


def _matched(pose: Pose, cloth: Cloth, reference: Reference) -> Pose:
    """The pose with the photo's area and centroid: a lopsided outline that was flipped has moved."""
    photo, own = reference.goal.photo, mesh_silhouette(pose(cloth.vertices), cloth.faces)
    if not own.solid.any():
        return pose
    grown = float(np.sqrt(photo.area / own.area))
    return Pose(grown * pose.linear, grown * pose.shift + np.append(photo.middle - grown * own.middle, 0))


def _reported(best: Settled, frame: Frame, unsure: tuple[str, ...]) -> Alignment:
    linear = best.pose.linear / frame.side
    offset = best.pose.shift - linear @ frame.middle
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = linear, offset
    turn = plain_turn(best.pose)
    axes = nearest_turn(turn)
    angle = np.degrees(np.arccos(np.clip((np.trace(turn @ axes.T) - 1) / 2, -1, 1)))
    mirrored = ("The mesh is a mirror image of the garment in the photo and was un-mirrored.",) * best.pose.mirrored
    return Alignment(
        matrix,
        front_of(axes),
        best.pose.mirrored,
        best.pose.scale / frame.side,
        (float(offset[0]), float(offset[1]), float(offset[2])),
        float(angle),
        best.iou,
        mirrored + unsure,
    )
