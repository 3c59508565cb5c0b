"""The garment's shape in figures: soundness, holes, openings, folds, cuts, size and place, from the mesh alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..crossings import crossing_faces, folded_faces
from ..garment.loops import boundary_loops, name_loops
from ..soundness import MeshChecks, mesh_checks
from .mask import background_share
from .outlines import Placed, placed
from .scene import Scene, outline_of

if TYPE_CHECKING:
    import trimesh


WITHIN = 0.025
"""A loop whose ends lie further within the outline than this part of the longest side is more likely a hole."""


class Loops(NamedTuple):
    """The edges of the cloth, told apart."""

    holes: tuple[np.ndarray, ...]
    """[K,3] points of each loop that is no opening."""
    missing: tuple[str, ...]
    """Openings that were expected and are not there."""
    found: tuple[str, ...]
    thick: bool
    """The cloth has an inside, and with it no edges: then openings can only be counted."""


class Shape(NamedTuple):
    """What was measured of a mesh."""

    checks: MeshChecks
    crossing: int
    """Faces that cut through others."""
    folded: int
    """Faces turned against the cloth around them."""
    against: float
    """Share of the faces whose stored normals point to their other side."""
    loops: Loops
    on_photo: Placed
    """The garment's outline on the mask, its size made 1 first where it was quite another."""
    shift: float
    """How far it lies beside the mask, as a part of its longest side."""
    longest: float
    faces: int
    background: float
    """Share of the mask that shows background."""


def shape_of(scene: Scene, expected: Sequence[str] | None) -> Shape:
    """The Shape of a scene's mesh; `expected` are the names of its openings, None where nobody knows."""
    mesh, on_photo = scene.mesh, placed(outline_of(scene.front), scene.solid)
    return Shape(
        checks=mesh_checks(mesh),
        crossing=int(crossing_faces(mesh).sum()),
        folded=int(folded_faces(mesh).sum()),
        against=normals_against(mesh),
        loops=loops_of(scene, expected),
        on_photo=on_photo,
        shift=float(np.hypot(*on_photo.shift_px)) / scene.camera.focal_px,
        longest=scene.longest,
        background=background_share(scene),
        faces=len(mesh.faces),
    )


def normals_against(mesh: trimesh.Trimesh) -> float:
    """Share of the faces whose vertex normals, given or computed, point to the side that the winding calls inside."""
    given = np.asarray(mesh.vertex_normals)[np.asarray(mesh.faces)].sum(1)
    corners = np.asarray(mesh.vertices)[np.asarray(mesh.faces)]
    wound = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return float(((given * wound).sum(1) < 0).mean())


def loops_of(scene: Scene, expected: Sequence[str] | None) -> Loops:
    """The Loops of a mesh: small ones are holes, and so are those beyond the number of openings expected."""
    vertices = np.asarray(scene.mesh.vertices, np.float64)
    loops = [vertices[loop] for loop in boundary_loops(scene.mesh)]
    names = name_loops(loops, np.stack([vertices.min(0), vertices.max(0)]))
    big = [i for i, name in enumerate(names) if name != "hole"]
    holes = [i for i in range(len(loops)) if i not in big]
    missing: list[str] = []
    thick = not loops and is_thick(scene, expected)
    if expected is not None:
        extra = _least_likely(scene, big, names, loops, expected)[: max(len(big) - len(expected), 0)]
        holes += extra
        big = [i for i in big if i not in extra]
        if len(big) < len(expected) and not thick:
            left = Counter(expected) - Counter(names[i] for i in big)
            missing = sorted(left.elements())[: len(expected) - len(big)]
    return Loops(tuple(loops[i] for i in holes), tuple(missing), tuple(sorted(names[i] for i in big)), thick)


def _least_likely(
    scene: Scene, big: list[int], names: list[str], loops: list[np.ndarray], expected: Sequence[str]
) -> list[int]:
    """Loops by how little they look like an opening: within the outline, of an unexpected name, short."""
    left, unexpected = Counter(expected), {}
    for i in big:  # the longest first: of two with one name it is the opening
        unexpected[i] = left[names[i]] <= 0
        left[names[i]] -= 1
    within = {i: ends_within(scene, loops[i]) > WITHIN for i in big}
    return sorted(big, key=lambda i: (not within[i], not unexpected[i], _length(loops[i])))


def ends_within(scene: Scene, loop: np.ndarray) -> float:
    """How far within the front's outline the ends of a [K,3] loop lie, as a part of the longest side.

    An opening passes from front to back, so both its ends lie on the outline; those of a hole need not.
    """
    from scipy.ndimage import distance_transform_edt

    flat = loop[:, :2] / scene.size
    thin = flat[:: max(len(flat) // 100, 1)]
    apart = np.linalg.norm(thin[:, None] - thin[None], axis=-1)
    ends = thin[list(np.unravel_index(apart.argmax(), apart.shape))]
    depth = distance_transform_edt(np.pad(outline_of(scene.front), 1))[1:-1, 1:-1]
    x = np.floor(scene.camera.center_px[0] + ends[:, 0] * scene.camera.focal_px).astype(int)
    y = np.floor(scene.camera.center_px[1] - ends[:, 1] * scene.camera.focal_px).astype(int)
    x, y = np.clip(x, 0, depth.shape[1] - 1), np.clip(y, 0, depth.shape[0] - 1)
    return float(depth[y, x].max()) / scene.camera.focal_px


def _length(points: np.ndarray) -> float:
    return float(np.linalg.norm(np.roll(points, -1, 0) - points, axis=1).sum())


def is_thick(scene: Scene, expected: Sequence[str] | None) -> bool:
    """Whether a closed mesh is cloth with an inside: it has a handle for every opening beyond the first."""
    vertices, faces = np.asarray(scene.mesh.vertices), np.asarray(scene.mesh.faces)
    cells = np.round(vertices / (1e-6 * max(scene.longest, 1e-300)))
    place = np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1)[faces]
    edges = np.unique(np.sort(place[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1), axis=0)
    handles = 1 - (len(np.unique(place)) - len(edges) + len(faces)) / 2
    return handles >= max(len(expected or ()) - 1, 1)
