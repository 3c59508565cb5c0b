"""Runs inside Blender: where the cameras of imported GLBs see points, and on request what one of them sees.

blender -b --python look_through.py -- FOLDER [--draw NAME] GLB…: reads FOLDER/points.json, metres in the GLB's frame.
"""

import json
import os
import sys

import bpy
import numpy
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Matrix, Vector

if not hasattr(numpy, "bool"):
    numpy.bool = bool  # the glTF importer of Blender 3.4 asks for it, and Debian's numpy has lost it

UPRIGHT = Matrix(((1, 0, 0, 0), (0, 0, -1, 0), (0, 1, 0, 0), (0, 0, 0, 1)))
"""glTF's +Y up to Blender's +Z up."""


def main(folder, *rest):
    with open(os.path.join(folder, "points.json"), encoding="utf-8") as file:
        points = [Vector(point) for point in json.load(file)]
    name = None
    if rest[0] == "--draw":
        name, rest = rest[1], rest[2:]
    for index, glb in enumerate(rest):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        bpy.ops.import_scene.gltf(filepath=glb)
        seen = {eye.name: [pixel(eye, UPRIGHT @ p) for p in points] for eye in bpy.data.objects if eye.type == "CAMERA"}
        with open(os.path.join(folder, f"{index}.json"), "w", encoding="utf-8") as file:
            json.dump(seen, file)
        if name:
            draw(bpy.data.objects[name], os.path.join(folder, f"{name}.png"))


def frame(eye):
    render = bpy.context.scene.render
    render.resolution_x, render.resolution_y = eye["frame_wh_px"]
    render.resolution_percentage = 100


def pixel(eye, point):
    frame(eye)
    left, top, _, _ = eye["picture_box_px"]
    width, height = eye["frame_wh_px"]
    at = world_to_camera_view(bpy.context.scene, eye, point)
    return [at.x * width - left, (1 - at.y) * height - top]


def draw(eye, path):
    scene = bpy.context.scene
    frame(eye)
    scene.camera = eye
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 8, False
    scene.render.film_transparent = True
    scene.render.filepath = path
    bpy.ops.render.render(write_still=True)


main(*sys.argv[sys.argv.index("--") + 1 :])
