"""Which triangle every pixel sees: an exact scanline rasteriser in plain torch, on any device.

Spans instead of bounding boxes: a shared edge gives both of its triangles the same crossing in every pixel row, so
half-open spans cover a pixel between them exactly once, and no candidate pixel is thrown away.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch

from .camera import project
from .data import Camera
from .errors import MeshError

NEAR = 1e-2
"""Depth in canonical units at which triangles are cut, so that nothing behind a camera is drawn."""
FRAGMENTS_AT_ONCE = 3_000_000
"""Candidates for the z-buffer in one step, about 70 bytes each."""
SAMPLES_AT_ONCE = 2_200_000
"""Samples of a picture worked on together, about 150 bytes each; 512² at 2 × 2 is one strip."""
EMPTY = torch.iinfo(torch.int64).max


class Fragments(NamedTuple):
    """The nearest surface behind every pixel."""

    face: torch.Tensor
    """[H,W] int64 index of the face, -1 where there is none."""
    bary: torch.Tensor
    """[H,W,3] float32 weights of the face's corners at the pixel's centre, 0 where there is none."""
    depth: torch.Tensor
    """[H,W] float32 distance along the view axis, inf where there is none."""


class Pieces(NamedTuple):
    """Triangles on the picture plane: the faces in front of the camera, cut at the near plane."""

    xy_px: torch.Tensor
    """[T,3,2] float32."""
    rate: torch.Tensor
    """[T,3] float32, linear on the picture plane: depth (orthographic) or 1 / depth (perspective)."""
    face: torch.Tensor
    """[T] int64, the face each piece was cut from."""
    weights: torch.Tensor | None
    """[T,3,3] barycentrics of each piece's corners in its face; None where nothing was cut."""
    perspective: bool

    @property
    def front(self) -> torch.Tensor:
        """[T] bool: the camera sees the piece's outside. Faces are counter-clockwise with y up, pixels have y down."""
        u, v = (self.xy_px[:, 1:] - self.xy_px[:, :1]).unbind(1)
        return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0] < 0


def finer(camera: Camera, supersample: int) -> Camera:
    """The same camera with `supersample`² pixels in the place of each of its own."""
    cx, cy = camera.center_px
    hw = (camera.hw[0] * supersample, camera.hw[1] * supersample)
    return replace(
        camera, focal_px=camera.focal_px * supersample, center_px=(cx * supersample, cy * supersample), hw=hw
    )


def rasterize(
    vertices: np.ndarray | torch.Tensor,
    faces: np.ndarray | torch.Tensor,
    camera: Camera,
    supersample: int = 1,
    device: str | torch.device = "cpu",
) -> Fragments:
    """Fragments of [H·s,W·s] for [V,3] canonical vertices and [F,3] faces, both sides drawn; -1 and inf where empty."""
    vertices, faces = _array(vertices, np.float64), _array(faces, np.int64)
    parts = [_fragments(vertices, faces, band, device) for band in bands(finer(camera, supersample))]
    return Fragments(*(torch.cat(column) for column in zip(*parts, strict=True)))


def bands(camera: Camera, rows_multiple: int = 1) -> list[Camera]:
    """Cameras for strips of the picture from top to bottom that bound memory, each a multiple of some rows high."""
    height, width = camera.hw
    rows = max(SAMPLES_AT_ONCE // (width * rows_multiple), 1) * rows_multiple
    cx, cy = camera.center_px
    return [
        replace(camera, center_px=(cx, cy - top), hw=(min(rows, height - top), width)) for top in range(0, height, rows)
    ]


def _fragments(vertices: np.ndarray, faces: np.ndarray, camera: Camera, device: str | torch.device) -> Fragments:
    pieces = cut_pieces(vertices, faces, camera, device)
    piece, depth = z_buffer(pieces, camera.hw)
    seen = torch.nonzero(piece.flatten() >= 0).squeeze(1)
    index = piece.flatten()[seen]
    bary = torch.zeros(*camera.hw, 3, device=device)
    weights = barycentrics(pieces, index, pixel_centers(seen, camera.hw[1])).clamp_(0, 1)
    bary.view(-1, 3)[seen] = weights / weights.sum(1, keepdim=True)
    face = torch.full_like(piece, -1)
    face.view(-1)[seen] = pieces.face[index]
    return Fragments(face, bary, depth)


def visible(points: np.ndarray | torch.Tensor, camera: Camera, depth: torch.Tensor, bias: float) -> torch.Tensor:
    """[P] bool: canonical points that lie in the picture and no deeper than `bias` behind the depth buffer.

    A point is held against the deepest of the four depths around it, so that steep cloth does not hide itself;
    `depth` is `rasterize`'s for the same camera at any supersample. A point over empty pixels is visible.
    """
    height, width = depth.shape
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels, point_depth = project(camera, _array(points, np.float64))
    pixels = torch.as_tensor(pixels * (width / camera.hw[1]), dtype=torch.float32, device=depth.device)
    point_depth = torch.as_tensor(point_depth, dtype=torch.float32, device=depth.device)
    x, y = pixels.unbind(-1)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (point_depth >= NEAR)
    x0, y0 = (x - 0.5).nan_to_num(-1).floor().long(), (y - 0.5).nan_to_num(-1).floor().long()
    around = [depth[(y0 + j).clamp(0, height - 1), (x0 + i).clamp(0, width - 1)] for j in (0, 1) for i in (0, 1)]
    deepest = torch.stack([torch.where(d.isinf(), -torch.inf, d) for d in around]).amax(0)
    return inside & ((point_depth <= deepest + bias) | deepest.isinf())


def cut_pieces(vertices: np.ndarray, faces: np.ndarray, camera: Camera, device: str | torch.device) -> Pieces:
    """The faces on the picture plane, those that cross the near plane cut into one or two pieces; may be empty."""
    if not len(faces) or not np.isfinite(vertices).all():
        raise MeshError(
            f"A mesh of {len(vertices)} vertices and {len(faces)} faces can't be drawn; "
            "give one with faces and finite vertices."
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels, depth = project(camera, vertices)
    behind = (depth < NEAR)[faces]
    kept = np.flatnonzero(~behind.any(1))
    corners = np.concatenate([pixels, depth[:, None]], 1)[faces[kept]]
    weights = None
    crossing = np.flatnonzero(behind.any(1) & ~behind.all(1))
    if len(crossing):
        parent, cut = _cut(depth[faces[crossing]], behind[crossing])
        pixels, depth = project(camera, cut @ vertices[faces[crossing[parent]]])
        corners = np.concatenate([corners, np.concatenate([pixels, depth[..., None]], -1)])
        weights = np.concatenate([np.broadcast_to(np.eye(3), (len(kept), 3, 3)), cut])
        weights = torch.as_tensor(weights, dtype=torch.float32, device=device)
        kept = np.concatenate([kept, crossing[parent]])
    tensor = torch.as_tensor(corners.astype(np.float32), device=device)
    perspective = camera.projection == "perspective"
    rate = 1 / tensor[..., 2] if perspective else tensor[..., 2]
    face = torch.as_tensor(kept, device=device)
    return Pieces(tensor[..., :2].contiguous(), rate.contiguous(), face, weights, perspective)


def _cut(depth: np.ndarray, behind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[N] parents and [N,3,3] corner barycentrics of what is left of faces that cross the near plane."""
    # Turn each face so that its odd corner, the one alone on its side of the plane, comes first: winding stays.
    alone_in_front = behind.sum(1) == 2
    odd = np.where(alone_in_front, np.argmin(behind, 1), np.argmax(behind, 1))
    a, b, c = np.eye(3)[(odd[:, None] + np.arange(3)) % 3].transpose(1, 0, 2)
    da, db, dc = np.take_along_axis(depth, (odd[:, None] + np.arange(3)) % 3, 1).T - NEAR
    ab = a + (da / (da - db))[:, None] * (b - a)
    ac = a + (da / (da - dc))[:, None] * (c - a)
    tip, quad = np.flatnonzero(alone_in_front), np.flatnonzero(~alone_in_front)
    cut = [np.stack([a, ab, ac], 1)[tip], np.stack([ab, b, c], 1)[quad], np.stack([ab, c, ac], 1)[quad]]
    return np.concatenate([tip, quad, quad]), np.concatenate(cut)


def z_buffer(pieces: Pieces, hw: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """[H,W] int64 index of the nearest piece (-1 = none) and [H,W] float32 depth (inf = none)."""
    device = pieces.face.device
    # Depth in the high half and the piece in the low half of one key: one pass finds both, and ties are settled alike
    # on every device. The bits of positive floats sort as integers.
    nearest = torch.full((hw[0] * hw[1],), EMPTY, device=device)
    for spans in _spans(pieces, hw):
        for part in _chunks(spans.count, FRAGMENTS_AT_ONCE):
            piece, start, count, rate, step = (column[part] for column in spans)
            span = torch.repeat_interleave(count)
            # index_select, here and below: on a CPU several times faster than the same by [].
            piece, start, before, rate, step = (
                column.index_select(0, span) for column in (piece, start, count.cumsum(0) - count, rate, step)
            )
            offset = torch.arange(len(span), device=device).sub_(before)
            depth = torch.addcmul(rate, offset.to(step.dtype), step)
            depth = depth.reciprocal_() if pieces.perspective else depth
            key = depth.view(torch.int32).to(torch.int64).bitwise_left_shift_(32).bitwise_or_(piece)
            nearest.scatter_reduce_(0, offset.add_(start), key, "amin")
    empty = nearest == EMPTY
    piece = torch.where(empty, -1, nearest & 0xFFFFFFFF)
    depth = torch.where(empty, torch.inf, (nearest >> 32).to(torch.int32).view(torch.float32))
    return piece.view(hw), depth.view(hw)


class _Spans(NamedTuple):
    """Runs of pixels that one piece covers in one row."""

    piece: torch.Tensor
    start: torch.Tensor
    """Index of the first pixel in the flattened picture."""
    count: torch.Tensor
    rate: torch.Tensor
    """Depth rate at the first pixel's centre."""
    step: torch.Tensor
    """Its change from pixel to pixel."""


def _spans(pieces: Pieces, hw: tuple[int, int]) -> Iterator[_Spans]:
    """The spans of all pieces, some thousands of rows at a time; none for pieces outside the picture."""
    height, width = hw
    order = pieces.xy_px[..., 1].argsort(1)
    x, y, rate = (column.gather(1, order) for column in (pieces.xy_px[..., 0], pieces.xy_px[..., 1], pieces.rate))
    first, rows = _pixels_between(y[:, 0], y[:, 2], height)
    _, columns = _pixels_between(x.amin(1), x.amax(1), width)
    rows = torch.where(columns > 0, rows, 0)
    # Edges always run from their upper to their lower end, so both neighbours compute the very same crossing.
    upper, lower = [0, 0, 1], [2, 1, 2]
    run = (y[:, lower] - y[:, upper]).clamp(min=1e-12)
    dx, drate = (x[:, lower] - x[:, upper]) / run, (rate[:, lower] - rate[:, upper]) / run
    edges = torch.stack([x[:, upper], y[:, upper], dx, rate[:, upper], drate], -1).view(-1, 5)
    for part in _chunks(rows, FRAGMENTS_AT_ONCE // 4):
        piece = torch.repeat_interleave(rows[part]).add_(part.start)
        begin_of = first + rows[: part.start].sum() + rows - rows.cumsum(0)
        row = torch.arange(len(piece), device=piece.device).add_(begin_of.index_select(0, piece))
        center = row + 0.5
        long_x, long_rate = _crossing(edges.index_select(0, piece * 3), center)
        short = piece * 3 + 1 + (center >= y[:, 1].index_select(0, piece))
        short_x, short_rate = _crossing(edges.index_select(0, short), center)
        swapped = long_x > short_x
        left, right = torch.minimum(long_x, short_x), torch.maximum(long_x, short_x)
        begin, count = _pixels_between(left, right, width)
        rate_left = torch.where(swapped, short_rate, long_rate)
        rate_right = torch.where(swapped, long_rate, short_rate)
        step = (rate_right - rate_left) / (right - left).clamp(min=1e-12)
        # Rounding must not carry a sliver's depth beyond its own two edges.
        low, high = torch.minimum(rate_left, rate_right), torch.maximum(rate_left, rate_right)
        start_rate = (rate_left + (begin + 0.5 - left) * step).clamp(min=low, max=high)
        some = torch.nonzero(count > 0).squeeze(1)
        columns = (piece, row * width + begin, count, start_rate, step)
        yield _Spans(*(column.index_select(0, some) for column in columns))


def _crossing(edge: torch.Tensor, center: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """[S] x and [S] depth rate where [S,5] edges cross the rows at y = `center`."""
    x, y, dx, rate, drate = edge.unbind(1)
    down = center - y
    return x + down * dx, rate + down * drate


def _pixels_between(low: torch.Tensor, high: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """First pixel whose centre lies in [low, high) and how many do, within 0..size; the count is 0 where none does."""
    first = (low - 0.5).ceil().clamp(0, size).long()
    return first, (high - 0.5).ceil().clamp(0, size).long() - first


def _chunks(counts: torch.Tensor, limit: int) -> Iterator[slice]:
    """Slices of consecutive entries whose counts add up to about `limit`; none where all counts are 0."""
    ends = counts.cumsum(0)
    total = int(ends[-1]) if len(ends) else 0
    if total:
        marks = torch.tensor(range(limit, total, limit), dtype=torch.long, device=counts.device)
        bounds = [0, *torch.searchsorted(ends, marks).tolist(), len(counts)]
        yield from (slice(a, b) for a, b in pairwise(bounds) if a < b)


def barycentrics(pieces: Pieces, index: torch.Tensor, xy_px: torch.Tensor) -> torch.Tensor:
    """[P,3] weights of the face's corners where pieces [P] meet pixels [P,2], perspective-correct, outside them too."""
    origin = pieces.xy_px[:, 0]
    u, v = pieces.xy_px[:, 1] - origin, pieces.xy_px[:, 2] - origin
    area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    scale = torch.where(area.abs() > 1e-12, 1 / area, 0)[:, None]
    toward_1, toward_2 = torch.stack([v[:, 1], -v[:, 0]], 1) * scale, torch.stack([-u[:, 1], u[:, 0]], 1) * scale
    table = torch.cat([origin, toward_1, toward_2, pieces.rate], 1).index_select(0, index)
    offset = xy_px - table[:, :2]
    b1, b2 = (offset * table[:, 2:4]).sum(1), (offset * table[:, 4:6]).sum(1)
    weights = torch.stack([1 - b1 - b2, b1, b2], 1)
    if pieces.perspective:
        weights = weights * table[:, 6:]
        weights = weights / weights.sum(1, keepdim=True)
    return weights if pieces.weights is None else (weights[:, None] @ pieces.weights[index])[:, 0]


def pixel_centers(index: torch.Tensor, width: int) -> torch.Tensor:
    """[P,2] float32 (x, y) of the centres of pixels given as [P] indices into the flattened picture."""
    return torch.stack([index % width, torch.div(index, width, rounding_mode="floor")], 1) + 0.5


def _array(values: np.ndarray | torch.Tensor, dtype: type) -> np.ndarray:
    return np.asarray(values.detach().cpu() if isinstance(values, torch.Tensor) else values, dtype=dtype)
