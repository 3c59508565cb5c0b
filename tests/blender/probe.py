"""Runs inside Blender after build_scene.py and writes what the scene holds, as Blender itself sees it, to a JSON file.

PROBE="OUT.json|SCRIPT.py|POINTS.json" blender -b --python build_scene.py --python probe.py
"""

import json
import os
import runpy
import sys

import bpy
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

OUT, SCRIPT, POINTS = os.environ["PROBE"].split("|")


def main():
    found = {"version": list(bpy.app.version), "first": counts(), **scene(), **garment(), "pixels": pixels()}
    sys.argv = sys.argv[:1]  # build only: the pictures are drawn already
    runpy.run_path(SCRIPT, run_name="__main__")
    found["second"] = counts()
    own = bpy.data.objects["probed"]
    own.data.vertices[0].co.x += 0.01
    runpy.run_path(SCRIPT, run_name="__main__")
    found["edited"] = {
        "kept": "probed (edited)" in bpy.data.objects,
        "new": len(bpy.data.objects["probed"].data.vertices),
    }
    with open(OUT, "w", encoding="utf-8") as file:
        json.dump(found, file)


def counts():
    data = bpy.data
    kinds = (data.scenes, data.objects, data.meshes, data.cameras, data.lights, data.materials, data.images)
    markers = bpy.context.scene.timeline_markers
    return [len(kind) for kind in (*kinds, data.collections, data.worlds, markers)]


def scene():
    own = bpy.context.scene
    tree = {c.name: sorted(thing.name for thing in c.objects) for c in own.collection.children}
    return {
        "scenes": [scene.name for scene in bpy.data.scenes],
        "objects": len(bpy.data.objects),
        "collections": tree,
        "units": [own.unit_settings.system, own.unit_settings.scale_length],
        "size": [own.render.resolution_x, own.render.resolution_y],
        "range": [own.frame_start, own.frame_end],
        "active_camera": own.camera.name,
        "markers": {marker.name: [marker.frame, marker.camera.name] for marker in own.timeline_markers},
        "cameras": {camera.name: camera_of(camera) for camera in own.objects if camera.type == "CAMERA"},
        "images": {image.name: [bool(image.packed_file), list(image.size)] for image in bpy.data.images if image.users},
        "empties": {e.name: [list(e.matrix_world.translation), list(e.matrix_world.col[2])] for e in openings(tree)},
        "hidden": [c.name for c in own.view_layers[0].layer_collection.children if c.hide_viewport],
    }


def openings(tree):
    return [bpy.data.objects[name] for name in tree["Openings"]]


def camera_of(camera):
    behind = camera.data.background_images
    return {
        "type": camera.data.type,
        "lens": camera.data.lens,
        "sensor": camera.data.sensor_width,
        "shown": camera.data.show_background_images,
        "pictures": [[b.image.name, b.alpha, b.frame_method] for b in behind],
        "locked": list(camera.lock_location),
    }


def garment():
    own = bpy.context.view_layer.objects.active
    mesh = own.data
    uses = {}
    for polygon in mesh.polygons:
        for key in polygon.edge_keys:
            uses[key] = uses.get(key, 0) + 1
    low = [min(v.co[axis] for v in mesh.vertices) for axis in range(3)]
    groups = {group.name: [] for group in own.vertex_groups}
    for vertex in mesh.vertices:
        for part in vertex.groups:
            groups[own.vertex_groups[part.group].name].append([vertex.index, part.weight])
    material = mesh.materials[0]
    principled = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    cloth = own.modifiers["Cloth"]
    return {
        "name": own.name,
        "selected": own.select_get(),
        "vertices": len(mesh.vertices),
        "faces": len(mesh.polygons),
        "smooth": all(polygon.use_smooth for polygon in mesh.polygons),
        "dimensions": list(own.dimensions),
        "low": low,
        "boundary": sorted({v for key, n in uses.items() if n == 1 for v in key}),
        "tangled": sum(n > 2 for n in uses.values()),
        "seams": sum(edge.use_seam for edge in mesh.edges),
        "uv": [layer.name for layer in mesh.uv_layers],
        "groups": groups,
        "materials": len(mesh.materials),
        "links": {link.to_socket.name: link.from_node.type for link in material.node_tree.links},
        "roughness": principled.inputs["Roughness"].default_value,
        "spaces": [n.image.colorspace_settings.name for n in material.node_tree.nodes if n.type == "TEX_IMAGE"],
        "cloth": [cloth.show_viewport, cloth.show_render, cloth.settings.vertex_group_mass],
        "properties": {key: own[key] for key in ("garment_class", "length_cm", "openings")},
    }


def pixels():
    """Where Blender sees points given in its own frame, per camera, in its view's 0..1 from the bottom left."""
    with open(POINTS, encoding="utf-8") as file:
        points = [Vector(point) for point in json.load(file)]
    own = bpy.context.scene
    cameras = [thing for thing in own.objects if thing.type == "CAMERA"]
    return {c.name: [list(world_to_camera_view(own, c, point)) for point in points] for c in cameras}


main()
