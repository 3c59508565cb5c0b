"""Nodes that only the tests use: they bring arrays into a graph and write what arrives back to a file."""

import copy
import gc
import hashlib
import json
import time
import weakref

import numpy as np
import torch
from aiohttp import web
from comfy import model_management
from comfy_api.latest import ComfyExtension, Types, io
from server import PromptServer

WATCHED = weakref.WeakSet()
"""Networks that went through Probe_Watch and are still alive."""
ERRORS = []
"""What the front end was told of errors."""
BEGUN = []
"""When each of their innermost layers began, in seconds since the epoch, and its name."""


class LoadArray(io.ComfyNode):
    """An .npy file as IMAGE (four dimensions) and as MASK (three)."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="Probe_LoadArray",
            inputs=[io.String.Input("path")],
            outputs=[io.Image.Output("image"), io.Mask.Output("mask")],
        )

    @classmethod
    def execute(cls, path):
        array = torch.from_numpy(np.load(path))
        return io.NodeOutput(array, array)


class DumpMesh(io.ComfyNode):
    """Writes the first garment of a MESH as .npz."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="Probe_DumpMesh",
            inputs=[io.Mesh.Input("mesh"), io.String.Input("path")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, mesh, path):
        names = ("vertices", "faces", "uvs", "normals", "vertex_colors", "texture", "normal_map",
                 "tangents", "vertex_counts", "face_counts")  # fmt: skip
        kept = {n: getattr(mesh, n).cpu().numpy() for n in names if getattr(mesh, n) is not None}
        np.savez(path, **kept)
        return io.NodeOutput(ui={"path": [path]})


class DumpTensor(io.ComfyNode):
    """Writes an IMAGE or MASK as .npy."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="Probe_DumpTensor",
            inputs=[io.MultiType.Input("tensor", types=[io.Image, io.Mask]), io.String.Input("path")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, tensor, path):
        np.save(path, tensor.cpu().numpy())
        return io.NodeOutput(ui={"path": [path]})


class DumpText(io.ComfyNode):
    """Hands a STRING or FLOAT to the history."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="Probe_DumpText",
            inputs=[io.MultiType.Input("value", types=[io.String, io.Float])],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, value):
        return io.NodeOutput(ui={"value": [value]})


class Hashes(io.ComfyNode):
    """Hashes what is linked to it, and keeps a deep copy's hash too; run once before and once after a node."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="Probe_Hashes",
            inputs=[
                io.MultiType.Input("value", types=[io.Image, io.Mask, io.Mesh]),
                io.AnyType.Input("after", optional=True),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, value, after=None):
        return io.NodeOutput(ui={"hash": [digest(value)]})


class PadBatch(io.ComfyNode):
    """Two copies of a MESH, the second without its last faces, as a zero-padded batch with counts."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="Probe_PadBatch",
            inputs=[io.Mesh.Input("mesh"), io.Int.Input("less", default=1, optional=True)],
            outputs=[io.Mesh.Output("mesh")],
        )

    @classmethod
    def execute(cls, mesh, less=1):
        twice = copy.copy(mesh)
        nv, nf = mesh.vertices.shape[1], mesh.faces.shape[1]
        faces = mesh.faces[0].clone()
        faces[-less:] = 0
        twice.vertices = torch.cat([mesh.vertices] * 2)
        twice.faces = torch.stack([mesh.faces[0], faces])
        for name in ("uvs", "normals", "texture"):
            value = getattr(mesh, name)
            setattr(twice, name, None if value is None else torch.cat([value] * 2))
        twice.vertex_counts, twice.face_counts = torch.tensor([nv, nv]), torch.tensor([nf, nf - less])
        return io.NodeOutput(twice)


class PaintRed(io.ComfyNode):
    """The MESH without uvs and texture, its vertices red."""

    @classmethod
    def define_schema(cls):
        return io.Schema(node_id="Probe_PaintRed", inputs=[io.Mesh.Input("mesh")], outputs=[io.Mesh.Output("mesh")])

    @classmethod
    def execute(cls, mesh):
        red = copy.copy(mesh)
        red.uvs = red.texture = None
        red.vertex_colors = torch.tensor([1.0, 0.0, 0.0]).expand(mesh.vertices.shape).clone()
        return io.NodeOutput(red)


class NanVertex(io.ComfyNode):
    """The MESH with one vertex that is no number."""

    @classmethod
    def define_schema(cls):
        return io.Schema(node_id="Probe_NanVertex", inputs=[io.Mesh.Input("mesh")], outputs=[io.Mesh.Output("mesh")])

    @classmethod
    def execute(cls, mesh):
        broken = copy.copy(mesh)
        broken.vertices = mesh.vertices.clone()
        broken.vertices[0, 5] = float("nan")
        return io.NodeOutput(broken)


class Mirror(io.ComfyNode):
    """The MESH with left and right exchanged, its faces still outward."""

    @classmethod
    def define_schema(cls):
        return io.Schema(node_id="Probe_Mirror", inputs=[io.Mesh.Input("mesh")], outputs=[io.Mesh.Output("mesh")])

    @classmethod
    def execute(cls, mesh):
        other = copy.copy(mesh)
        flip = torch.tensor([-1.0, 1.0, 1.0])
        other.vertices, other.normals = mesh.vertices * flip, mesh.normals * flip
        other.faces = mesh.faces.flip(-1)
        return io.NodeOutput(other)


class Watch(io.ComfyNode):
    """Passes a loaded network on; each of its innermost layers then notes when it begins and dawdles."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="Probe_Watch",
            inputs=[io.AnyType.Input("network"), io.Float.Input("seconds", default=0.0)],
            outputs=[io.AnyType.Output("network")],
        )

    @classmethod
    def execute(cls, network, seconds):
        patchers = network.get_models() if hasattr(network, "get_models") else [network.patcher]
        for name, module in [named for patcher in patchers for named in patcher.model.named_modules()]:
            WATCHED.add(module)
            if not list(module.children()):
                module.register_forward_pre_hook(dawdling(name, seconds))
        return io.NodeOutput(network)


def dawdling(name, seconds):
    def begin(*_):
        BEGUN.append((time.time(), name))
        time.sleep(seconds)

    return begin


class DumpPoses(io.ComfyNode):
    """Hands the last four numbers of each token of a CONDITIONING to the history, and its width."""

    @classmethod
    def define_schema(cls):
        return io.Schema(node_id="Probe_DumpPoses", inputs=[io.Conditioning.Input("conditioning")], is_output_node=True)

    @classmethod
    def execute(cls, conditioning):
        ((tokens, _),) = conditioning
        return io.NodeOutput(ui={"poses": tokens[:, 0, -4:].tolist(), "shape": list(tokens.shape)})


def overheard(send):
    """The server's way to the front end, which also notes every error: a blocked node's is in no history."""

    def sent(event, data, sid=None):
        if event == "execution_error":
            ERRORS.append({"node_id": data["node_id"], "message": data["exception_message"]})
        return send(event, data, sid)

    return sent


PromptServer.instance.send_sync = overheard(PromptServer.instance.send_sync)


@PromptServer.instance.routes.get("/probe/errors")
async def errors(request):
    """What the front end was told of errors since the last question."""
    told, ERRORS[:] = list(ERRORS), []
    return web.json_response(told)


@PromptServer.instance.routes.get("/probe/state")
async def state(request):
    """What is loaded and alive, which layers began since the last question, and how many bytes the process holds."""
    if "collect" in request.query:
        gc.collect()
    with open("/proc/self/statm") as numbers:
        pages = int(numbers.read().split()[1])
    loaded = len(model_management.current_loaded_models)
    begun, BEGUN[:] = list(BEGUN), []
    return web.json_response({"loaded": loaded, "alive": len(WATCHED), "begun": begun, "resident": pages * 4096})


def digest(value):
    parts = value.__dict__ if isinstance(value, Types.MESH) else {"tensor": value}
    total = hashlib.sha256()
    for name in sorted(parts):
        part = parts[name]
        total.update(part.cpu().numpy().tobytes() if isinstance(part, torch.Tensor) else json.dumps(part).encode())
    return total.hexdigest()


class Probe(ComfyExtension):
    async def get_node_list(self):
        return [
            LoadArray,
            DumpMesh,
            DumpTensor,
            DumpText,
            Hashes,
            PadBatch,
            PaintRed,
            NanVertex,
            Mirror,
            Watch,
            DumpPoses,
        ]


async def comfy_entrypoint():
    return Probe()
