"""TripoSR: the photo's garment as a scene, and from the scene, without the network, meshes and turntables."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from . import convert, models, networks
from .mask import CATEGORY
from .networks import GB
from .sockets import Scene, TripoSR
from .views import ELEVATION, STEP, outputs


class LoadTripoSR(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_LoadTripoSR",
            display_name="Load TripoSR",
            category=CATEGORY,
            description="Reads TripoSR's official checkpoint. It makes a closed 3D surface from one photo; MIT "
            "licence, any use. About 2 GB of GPU memory for the weights and 2 more while it looks at a photo.",
            search_aliases=["triposr", "image to 3d model", "single image reconstruction", "load 3d model", "lrm"],
            inputs=[
                models.menu(
                    "triposr",
                    "TripoSR's model.ckpt from models/garment3d or models/checkpoints, or a download of it: 1.7 GB, "
                    "MIT licence.",
                )
            ],
            outputs=[TripoSR.Output("triposr", tooltip="The network, for TripoSR Scene.")],
        )

    @classmethod
    def validate_inputs(cls, file: str | None) -> bool | str:
        return models.complaint("triposr", file)

    @classmethod
    def fingerprint_inputs(cls, file: str) -> str:
        return models.fingerprint("triposr", file)

    @classmethod
    @convert.plain_errors
    def execute(cls, file: str) -> io.NodeOutput:
        from ..garment3d.surface.triposr.checkpoint import load_triposr

        network = load_triposr(models.file("triposr", file), ops=networks.OPS)
        return io.NodeOutput(networks.Network(network, network, pageable=True))


class TripoSRScene(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_TripoSRScene",
            display_name="TripoSR Scene",
            category=CATEGORY,
            description="Lets TripoSR look at the garment once. The scene holds its shape and colours from all around; "
            "TripoSR Mesh and TripoSR Turntable read it again and again without running the network.",
            search_aliases=["triposr", "triplane", "image to 3d", "scene code", "tripo sampler"],
            inputs=[
                TripoSR.Input("triposr", tooltip="The network from Load TripoSR."),
                io.Image.Input("image", tooltip="The garment photo. TripoSR sees this one view only."),
                io.Mask.Input("mask", tooltip="White on the garment, as large as the photo."),
                io.Float.Input(
                    "ratio",
                    default=0.85,
                    min=0.3,
                    max=1.0,
                    step=0.01,
                    tooltip="Longest side of the garment as a share of the picture TripoSR sees: its foreground ratio. "
                    "It was trained on about 0.85.",
                ),
                io.Int.Input(
                    "padding_px",
                    default=0,
                    min=0,
                    max=4096,
                    optional=True,
                    advanced=True,
                    tooltip="Extra empty border around the garment in pixels of the photo, on top of the ratio.",
                ),
            ],
            outputs=[Scene.Output("scene", tooltip="Shape and colours, for TripoSR Mesh and TripoSR Turntable.")],
        )

    @classmethod
    @convert.plain_errors
    def execute(cls, triposr, image, mask, ratio: float, padding_px: int = 0) -> io.NodeOutput:
        from ..garment3d.surface.triposr.scene import triposr_scene

        photos = convert.photos(image)
        pairs = list(zip(photos, convert.softs(mask, photos), strict=True))
        with triposr.running(memory_required=2 * GB) as device:
            # A file in half precision takes some ten times as long on a CPU as in float32.
            dtype = torch.float32 if device.type == "cpu" else None
            scenes = [
                triposr_scene(triposr.model, photo.rgb, soft, ratio, padding_px, device, dtype)
                for photo, soft in convert.steps(pairs)
            ]
        return io.NodeOutput(tuple(scenes))


class TripoSRMesh(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_TripoSRMesh",
            display_name="TripoSR Mesh",
            category=CATEGORY,
            description="Cuts the scene's surface out as a closed mesh with vertex colours, in the frame of the shell "
            "that is made from the same mask. A changed threshold or resolution does not run TripoSR again.",
            search_aliases=["triposr", "marching cubes", "extract mesh", "isosurface", "triplane to mesh"],
            inputs=[
                Scene.Input("scene", tooltip="From TripoSR Scene."),
                io.Int.Input(
                    "resolution",
                    default=256,
                    min=32,
                    max=1024,
                    step=32,
                    tooltip="Cells along each side. 256 is TripoSR's own; the scene itself holds little finer detail.",
                ),
                io.Float.Input(
                    "threshold",
                    default=25.0,
                    min=0.01,
                    max=100000.0,
                    step=0.5,
                    tooltip="Density at which the surface lies. Lower: thicker, straps hold together. Higher: thinner.",
                ),
                io.Int.Input(
                    "chunk",
                    default=0,
                    min=0,
                    max=16777216,
                    step=4096,
                    optional=True,
                    advanced=True,
                    tooltip="Points looked up at once. 0: sized to the memory.",
                ),
            ],
            outputs=[
                io.Mesh.Output("mesh", tooltip="Closed, with vertex colours, longest side about 1, front to +Z."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    @convert.plain_errors
    def execute(cls, scene, resolution: int, threshold: float, chunk: int = 0) -> io.NodeOutput:
        from ..garment3d.surface.triposr.mesh import triposr_mesh

        device, report = networks.spare(1 * GB), convert.progress()
        found = [
            networks.first_that_fits(
                (chunk, 1 << 15, 1 << 12),
                lambda points, one=one: triposr_mesh(one, resolution, threshold, points, device, report),
            )
            for one in scene
        ]
        convert.show(cls, ", ".join(f"{len(s.mesh.faces)} faces" for s in found))
        return io.NodeOutput(convert.mesh([s.mesh for s in found]))


class TripoSRTurntable(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Garment3D_TripoSRTurntable",
            display_name="TripoSR Turntable",
            category=CATEGORY,
            description="Draws the scene from all around as TripoSR itself sees it, before any mesh is cut out of it: "
            "to judge shape and colours, or as views with cameras.",
            search_aliases=["triposr", "turntable", "nerf render", "360 views", "render scene"],
            inputs=[
                Scene.Input("scene", tooltip="From TripoSR Scene, of one photo."),
                io.Float.Input("step_deg", default=20.0, min=1.0, max=180.0, step=1.0, tooltip=STEP),
                io.Float.Input("elevation_deg", default=0.0, min=-80.0, max=80.0, step=1.0, tooltip=ELEVATION),
                io.Int.Input("size", default=256, min=32, max=1024, step=8, tooltip="Width and height in pixels."),
                io.Int.Input(
                    "samples",
                    default=128,
                    min=16,
                    max=512,
                    step=8,
                    optional=True,
                    advanced=True,
                    tooltip="Points along each ray. 128 is TripoSR's own.",
                ),
            ],
            outputs=outputs(),
        )

    @classmethod
    @convert.plain_errors
    def execute(cls, scene, step_deg: float, elevation_deg: float, size: int, samples: int = 128) -> io.NodeOutput:
        from ..garment3d.camera import orbit
        from ..garment3d.surface.triposr.render import render_scene, turntable

        one = convert.only(scene, "scene")
        device, report = networks.spare(1 * GB), convert.progress()
        cameras = turntable(one, orbit(step_deg).azimuths_deg, elevation_deg, size)
        views = networks.first_that_fits(
            (0, 1 << 13, 1 << 10), lambda rays: render_scene(one, cameras, samples, rays, device, report)
        )
        views = convert.on_cpu(views)
        return io.NodeOutput(views, views.images, views.masks)
