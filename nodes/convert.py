"""Everything that crosses between ComfyUI and the library: layouts, batches, progress, interrupts, errors.

The only file that knows ComfyUI's conventions: floats in 0..1, batches first, uv with its origin at the top left.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import string
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from comfy import model_management
from comfy.utils import ProgressBar
from comfy_api.latest import Types, io

from ..garment3d.camera import ZERO123_RADIUS, mask_box, orbit
from ..garment3d.data import Orbit, Photo, Views
from ..garment3d.errors import GarmentError, MaskError, MeshError, PhotoError
from ..garment3d.images import MAX_SIDE_PX, MIN_SIDE_PX, canvas, checked_mask

if TYPE_CHECKING:
    import trimesh

T = TypeVar("T")


def plain_errors(execute: Callable[..., Any]) -> Callable[..., Any]:
    """`execute` whose library errors reach the person as one sentence, without the library's module path before it."""

    @functools.wraps(execute)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return execute(*args, **kwargs)
        except GarmentError as error:
            raise ValueError(str(error)) from None

    return wrapped


def steps(items: Sequence[T]) -> Iterator[T]:
    """The items one by one, with the node's progress bar; a pressed Cancel stops before the next one."""
    bar = ProgressBar(len(items))
    for item in items:
        model_management.throw_exception_if_processing_interrupted()
        yield item
        bar.update(1)


class progress:
    """A callback (done, total) for the library's long loops: moves the node's bar, and raises if Cancel was pressed.

    Of several garments in a batch each moves its own part of the bar.
    """

    def __init__(self, part: int = 0, parts: int = 1) -> None:
        self.bar = ProgressBar(parts)
        self.part, self.parts = part, parts

    def __call__(self, done: int, total: int) -> None:
        model_management.throw_exception_if_processing_interrupted()
        self.bar.update_absolute(self.part * total + done, self.parts * total)

    def show(self, pictures: torch.Tensor) -> None:
        """Small [V,h,w,3] pictures side by side on the node, as they look now."""
        from PIL import Image

        columns = math.ceil(math.sqrt(len(pictures)))
        blank = pictures.new_ones(-len(pictures) % columns, *pictures.shape[1:])
        rows = torch.cat([pictures, blank]).unflatten(0, (-1, columns))
        sheet = Image.fromarray(_bytes(rows.permute(0, 2, 1, 3, 4).flatten(2, 3).flatten(0, 1)))
        enlarged = sheet.resize((512, round(512 * sheet.height / sheet.width)), Image.Resampling.BICUBIC)
        self.bar.update_absolute(self.bar.current, self.bar.total, ("JPEG", enlarged, None))


def bars(items: Sequence[T]) -> Iterator[tuple[T, progress]]:
    """The items one by one, each with the callback for its part of the node's progress bar."""
    for part, item in enumerate(items):
        model_management.throw_exception_if_processing_interrupted()
        yield item, progress(part, len(items))


def show(node: type[io.ComfyNode], line: str) -> None:
    """Writes a line on the node in the graph; an empty one says nothing."""
    from server import PromptServer

    if line and node.hidden.unique_id and getattr(PromptServer, "instance", None):
        PromptServer.instance.send_progress_text(line, node.hidden.unique_id)


def metadata(node: type[io.ComfyNode]) -> dict[str, str]:
    """Prompt and workflow as ComfyUI writes them into its files; empty where it was started without."""
    from comfy.cli_args import args

    if args.disable_metadata:
        return {}
    kept = {"prompt": node.hidden.prompt, **(node.hidden.extra_pnginfo or {})}
    return {name: json.dumps(value) for name, value in kept.items() if value is not None}


def device() -> torch.device:
    """Where to draw: the GPU ComfyUI uses if it is a CUDA one, else the CPU (others lack float64)."""
    chosen = model_management.get_torch_device()
    return chosen if chosen.type == "cuda" else torch.device("cpu")


def photos(image: torch.Tensor) -> list[Photo]:
    """Photos [H,W,3] uint8, one per picture of an IMAGE [B,H,W,1|3|4]; a fourth channel becomes their alpha."""
    if image.ndim != 4 or image.shape[-1] not in (1, 3, 4) or not all(image.shape):
        raise PhotoError(f"The image has the shape {tuple(image.shape)}; an IMAGE is [batch, height, width, 3 or 4].")
    if not all(MIN_SIDE_PX <= side <= MAX_SIDE_PX for side in image.shape[1:3]):
        size = f"{image.shape[2]} × {image.shape[1]} px"
        raise PhotoError(f"The image is {size}; each side must be {MIN_SIDE_PX} to {MAX_SIDE_PX} px: resize it first.")
    pixels = _bytes(image)
    if pixels.shape[-1] == 1:
        pixels = pixels.repeat(3, -1)
    alphas = [p[..., 3].copy() if p.shape[-1] == 4 and p[..., 3].min() < 255 else None for p in pixels]
    return [Photo(np.ascontiguousarray(p[..., :3]), a) for p, a in zip(pixels, alphas, strict=True)]


def bare_softs(mask: torch.Tensor) -> list[np.ndarray]:
    """Soft masks [H,W] float32, copies of a MASK [B,H,W]."""
    masks = mask.detach().cpu().float().reshape(-1, *mask.shape[-2:]).clamp(0, 1).numpy()
    return [checked_mask(m.copy()) for m in masks]


def softs(mask: torch.Tensor, beside: Sequence[Photo]) -> list[np.ndarray]:
    """Soft masks [H,W] float32 copies of a MASK [B,H,W], one per photo; a single mask serves them all."""
    height, width = mask.shape[-2:]
    for photo in beside:
        if (height, width) != photo.rgb.shape[:2]:
            raise MaskError(
                f"The mask is {width} × {height} px and the image {photo.rgb.shape[1]} × "
                f"{photo.rgb.shape[0]} px: connect the mask that was made from this image, or resize it to fit."
            )
    return matched(bare_softs(mask), len(beside), "masks")


def matched(items: Sequence[T], count: int, what: str) -> list[T]:
    """The items, or the single one `count` times over; any other number is a GarmentError."""
    if len(items) not in (1, count):
        raise GarmentError(f"There are {len(items)} {what} for a batch of {count}: give one for all, or one for each.")
    return list(items) if len(items) == count else [items[0]] * count


def boxes(
    photos: Sequence[Photo], rough: torch.Tensor | None, box: tuple[int, int, int, int]
) -> list[tuple[int, int, int, int] | None]:
    """Per photo x0, y0, x1, y1 in pixels to look in: the box, or what the rough mask's white spans, or None."""
    if any(box):
        return [box] * len(photos)
    if rough is None or not rough.any():
        return [None] * len(photos)
    return [mask_box(soft) for soft in softs(rough, photos)]


def rough_masks(rough: torch.Tensor | None, photos: Sequence[Photo]) -> list[np.ndarray | None]:
    """The rough mask of each photo; None where there is none or where it is all black."""
    if rough is None or not rough.any():
        return [None] * len(photos)
    return list(softs(rough, photos))


def photo_and_mask(image: torch.Tensor, mask: torch.Tensor) -> tuple[Photo, np.ndarray]:
    """The only photo of a batch and its soft mask."""
    shown = photos(image)
    return only(shown, "photo"), softs(mask, shown)[0]


def tinted(image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """[B,H,W,3] the pictures with all but the garment darkened and blue, to judge a mask by eye."""
    pictures, kept = image[..., :3].cpu().float(), mask[..., None]
    return pictures * kept + (0.3 * pictures + torch.tensor([0.05, 0.12, 0.35])) * (1 - kept)


def colour(hex_code: str) -> torch.Tensor:
    """[3] float32 sRGB in 0..1 of a colour such as #ffffff; anything else is a GarmentError."""
    digits = hex_code.strip().lstrip("#")
    if len(digits) not in (6, 8) or not all(c in string.hexdigits for c in digits):
        raise GarmentError(f"The colour {hex_code!r} can't be read; write it as # and six hexadecimal digits.")
    return torch.tensor([int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)])


def cut_out(rgb: np.ndarray, soft: np.ndarray, ratio: float, size: int) -> torch.Tensor:
    """[size,size,4] float32 RGBA of the garment centred, its colours free of the photo's background."""
    on_black = canvas(rgb, soft, ratio, 0.0, size).pixels
    alpha = canvas(np.full_like(rgb, 255), soft, ratio, 0.0, size).pixels[..., :1]
    colours = np.clip(on_black / np.maximum(alpha, 1 / 255), 0, 1)
    return torch.from_numpy(np.concatenate([colours, alpha], -1))


def image(pictures: Sequence[np.ndarray]) -> torch.Tensor:
    """An IMAGE [B,H,W,C] of uint8 pictures of one size."""
    return torch.from_numpy(np.stack(pictures)).float() / 255


def image_of_sizes(pictures: Sequence[np.ndarray]) -> torch.Tensor:
    """An IMAGE of uint8 pictures of one width; lower ones end in white."""
    height = max(len(p) for p in pictures)
    return image([np.pad(p, ((0, height - len(p)), (0, 0), (0, 0)), constant_values=255) for p in pictures])


def mask(soft: Sequence[np.ndarray]) -> torch.Tensor:
    """A MASK [B,H,W] of soft masks of one size, bit for bit."""
    return torch.from_numpy(np.stack(soft).astype(np.float32))


def mesh(meshes: Sequence[trimesh.Trimesh]) -> Types.MESH:
    """A MESH of the garments: normals always; uvs, maps with tangents, vertex colours if all have them; padded."""
    from ..garment3d.export.parts import parts

    solids = [parts(m) for m in meshes]
    padded = len({(len(s.vertices), len(s.faces)) for s in solids}) > 1
    laid_out = all(s.uv is not None for s in solids)
    textured = laid_out and all(s.pixels is not None for s in solids)
    coloured = all(s.colours is not None for s in solids)
    detailed = laid_out and all(s.normal_map is not None for s in solids)
    return Types.MESH(
        _stack([s.vertices for s in solids], torch.float32),
        _stack([s.faces for s in solids], torch.int64),
        uvs=_stack([s.uv * (1, -1) + (0, 1) for s in solids], torch.float32) if laid_out else None,
        normals=_stack([s.normals for s in solids], torch.float32),
        vertex_colors=_stack([s.colours[:, :3] for s in solids], torch.float32) if coloured else None,
        texture=image([s.pixels for s in solids]) if textured else None,
        normal_map=image([s.normal_map for s in solids]) if detailed else None,
        tangents=_stack([s.tangents for s in solids], torch.float32) if detailed else None,
        vertex_counts=torch.tensor([len(s.vertices) for s in solids]) if padded else None,
        face_counts=torch.tensor([len(s.faces) for s in solids]) if padded else None,
        material={"metallic_factor": 0.0, "roughness_factor": 0.9, "double_sided": True},
    )


def like(made: Types.MESH, source: Types.MESH) -> Types.MESH:
    """The new MESH with what else the source's material has and fits to unchanged uvs; counts of meshes are equal."""
    if made.uvs is not None and source.uvs is not None:
        for name in ("metallic_roughness", "occlusion_in_mr", "emissive"):
            setattr(made, name, getattr(source, name, None))
    made.material = {**(made.material or {}), **(source.material or {})}
    made.unlit = source.unlit
    return made


def trimeshes(mesh: Types.MESH) -> list[trimesh.Trimesh]:
    """The garments in a MESH as new meshes on the CPU, textured where it is; an empty one raises MeshError."""
    return [_trimesh(mesh, i) for i in range(len(mesh.vertices))]


def single(mesh: Types.MESH) -> trimesh.Trimesh:
    """The only garment in a MESH; a batch of several is a GarmentError."""
    return _trimesh(mesh, only(range(len(mesh.vertices)), "garment"))


def only(items: Sequence[T], what: str) -> T:
    """The only one; several are a GarmentError."""
    if len(items) != 1:
        raise GarmentError(f"This node takes one {what} at a time and got a batch of {len(items)}.")
    return items[0]


def azimuths(count: int, step_deg: float, text: str = "") -> list[float]:
    """The azimuths in the text, or 0, step, 2·step, … for that many pictures; more than a turn is a GarmentError."""
    listed = azimuth_list(text)
    if listed is not None:
        if len(listed) != count:
            raise GarmentError(f"There are {len(listed)} azimuths for {count} images: give one for each.")
        return listed
    if (count - 1) * step_deg >= 360:
        raise GarmentError(f"{count} images {step_deg:g}° apart go round more than once: lower the step.")
    return [i * step_deg for i in range(count)]


def azimuth_list(text: str) -> list[float] | None:
    """The numbers of a text such as "0, 45, 90"; None for an empty text."""
    words = text.replace(",", " ").replace(";", " ").split()
    try:
        found = [float(word.rstrip("°")) for word in words]
    except ValueError:
        raise GarmentError(f'"{text.strip()}" is no list of azimuths: write degrees such as 0, 45, 90.') from None
    if not all(math.isfinite(value) for value in found):
        raise GarmentError(f'"{text.strip()}" is no list of azimuths: write degrees such as 0, 45, 90.')
    return found or None


def azimuth_choice(text: str) -> tuple[float, ...] | None:
    """The azimuths to use, each in 0..360; None for an empty text."""
    listed = azimuth_list(text)
    return None if listed is None else tuple(a % 360 for a in listed)


def zero123_orbit(step_deg: float, text: str, elevation_deg: float, radius_offset: float) -> Orbit:
    """Zero123's cameras at the azimuths in the text, or else every `step_deg`."""
    radius = ZERO123_RADIUS + radius_offset
    return orbit(step_deg, elevation_deg, radius, hw=(256, 256), azimuths_deg=azimuth_list(text))


def nearest_azimuth(orbit: Orbit, azimuth_deg: float) -> int:
    """Index of the camera that stands nearest to an azimuth, the first of equals."""
    apart = [abs((own - azimuth_deg + 180) % 360 - 180) for own in orbit.azimuths_deg]
    return apart.index(min(apart))


def on_cpu(views: Views) -> Views:
    """The same views where other nodes expect pictures to be."""
    return dataclasses.replace(views, images=views.images.cpu(), masks=views.masks.cpu())


def _trimesh(mesh: Types.MESH, index: int) -> trimesh.Trimesh:
    import trimesh

    nv = len(mesh.vertices[index]) if mesh.vertex_counts is None else int(mesh.vertex_counts[index])
    nf = len(mesh.faces[index]) if mesh.face_counts is None else int(mesh.face_counts[index])
    if not nv or not nf:
        raise MeshError(f"Mesh {index} of the batch is empty ({nv} vertices, {nf} faces): check the node that made it.")
    vertices, faces = _array(mesh.vertices[index][:nv]), mesh.faces[index][:nf].detach().cpu().numpy()
    if faces.min() < 0 or faces.max() >= nv:
        raise MeshError(f"Mesh {index} of the batch has {nv} vertices, but a face names vertex {faces.max()}.")
    result = trimesh.Trimesh(vertices.astype(np.float64), faces.astype(np.int64), process=False)
    result.visual = _visual(mesh, index, nv, result)
    if mesh.vertex_colors is not None:
        result.vertex_attributes["linear_rgb"] = _array(mesh.vertex_colors[index][:nv, :3])
    return result


def _visual(mesh: Types.MESH, index: int, count: int, solid: trimesh.Trimesh) -> Any:
    """Its texture, else its linear vertex colours, else its uvs alone, else plain."""
    from PIL import Image
    from trimesh.visual import ColorVisuals, TextureVisuals
    from trimesh.visual.material import PBRMaterial

    if mesh.vertex_colors is not None and (mesh.uvs is None or mesh.texture is None):
        return ColorVisuals(solid, vertex_colors=_bytes(mesh.vertex_colors[index][:count]))
    if mesh.uvs is None:
        return ColorVisuals(solid)
    uv = _array(mesh.uvs[index][:count]).astype(np.float64) * (1, -1) + (0, 1)
    atlas = None if mesh.texture is None else Image.fromarray(_bytes(mesh.texture[index]))
    detail = None if mesh.normal_map is None else Image.fromarray(_normal_map(mesh, index, solid, uv))
    material = PBRMaterial(
        baseColorTexture=atlas, normalTexture=detail, metallicFactor=0.0, roughnessFactor=0.9, doubleSided=True
    )
    return TextureVisuals(uv=uv, material=material)


def _normal_map(mesh: Types.MESH, index: int, solid: trimesh.Trimesh, uv: np.ndarray) -> np.ndarray:
    """[S,S,3] uint8 with green up the picture, as glTF and the library have it.

    ComfyUI's own baker measures green along bitangents of top-left uvs, which run down the picture: the tangents that
    come with its map say so.
    """
    from ..garment3d.normals import smooth_normals, tangents

    pixels = _bytes(mesh.normal_map[index])
    if mesh.tangents is None:
        return pixels
    vertices, faces = np.asarray(solid.vertices), np.asarray(solid.faces)
    upwards = tangents(vertices, faces, uv, smooth_normals(vertices, faces))[:, 3]
    if (upwards * _array(mesh.tangents[index][: len(upwards), 3])).sum() >= 0:
        return pixels
    return np.stack([pixels[..., 0], 255 - pixels[..., 1], pixels[..., 2]], -1)


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().float().numpy()


def _bytes(tensor: torch.Tensor) -> np.ndarray:
    """Exact for x / 255, so that a photo that went through the graph is the photo that was read."""
    return (tensor.detach().cpu().float().nan_to_num().clamp(0, 1) * 255).round().to(torch.uint8).numpy()


def _stack(arrays: Sequence[np.ndarray], dtype: torch.dtype) -> torch.Tensor:
    tensors = [torch.as_tensor(np.array(a), dtype=dtype) for a in arrays]
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True)
