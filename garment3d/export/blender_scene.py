"""Builds this folder's garment as a scene in Blender 3.4 or later: true size, cameras with their pictures, pins.

    blender --python build_scene.py                                        opens it
    blender -b --python build_scene.py -- --save garment.blend             saves it without a window
    blender -b --python build_scene.py -- --render DIR --samples 16        draws every camera's picture with Cycles

Or open this file in Blender's text editor and press Run Script. Numpad 0 looks through the camera, the arrow keys
left and right step round the garment, Alt+Z sees through it. Running it again builds anew what it made before; a
garment whose shape you changed stays, under the name "... (edited)".
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import sys
import zlib
from pathlib import Path
from typing import Any, NamedTuple

try:
    bpy: Any = importlib.import_module("bpy")
    np: Any = importlib.import_module("numpy")
    Matrix: Any = importlib.import_module("mathutils").Matrix
except ImportError as missing:
    raise SystemExit(f"This script runs inside Blender (blender --python build_scene.py): {missing}.") from None

TAG = "garment3d"  # custom property on all that this script makes


class Stop(Exception):
    """Why the scene can't be built, in one sentence."""


class Package(NamedTuple):
    """What is built, and where."""

    folder: Path
    told: dict[str, Any]  # scene.json, in Blender's frame and metres
    name: str
    scene: Any
    missing: list[str]  # pictures that could not be read


def main() -> None:
    """Builds, saves and draws what the command line asks for; one line says what went wrong."""
    try:
        options = read_options()
        folder, told = find_package()
        package = Package(folder, told, told["name"], own_scene(told["name"]), [])
        build(package)
        if options.save is not None:
            options.save.resolve().parent.mkdir(parents=True, exist_ok=True)
            bpy.ops.wm.save_as_mainfile(filepath=str(options.save.resolve()), check_existing=False)
        if options.render is not None:
            draw_all(package, options)
    except (Stop, OSError, RuntimeError) as reason:  # Blender tells of a full disk and the like as RuntimeError
        say(" ".join(str(reason).split()), box=True)
        if bpy.app.background:
            sys.exit(1)


def read_options() -> argparse.Namespace:
    """The options after `--`; at a window there are none."""
    given = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv and bpy.app.background else []
    parser = argparse.ArgumentParser(prog="build_scene.py")
    parser.add_argument("--save", type=Path, metavar="FILE.blend", help="save the scene there")
    parser.add_argument("--render", type=Path, metavar="DIR", help="draw every camera's picture into this folder")
    parser.add_argument("--samples", type=int, default=16, help="Cycles samples per pixel")
    parser.add_argument("--percent", type=int, default=100, help="of the pictures' size")
    return parser.parse_args(given)


def find_package() -> tuple[Path, dict[str, Any]]:
    """The folder this script lies in, however it was started, and what its scene.json says."""
    places = [globals().get("__file__", ""), *(bpy.path.abspath(text.filepath) for text in bpy.data.texts)]
    folders = [Path(place).resolve().parent for place in (*places, bpy.data.filepath) if place]
    folder = next((folder for folder in folders if (folder / "scene.json").is_file()), None)
    if folder is None:
        raise Stop("scene.json is not beside build_scene.py: keep the folder's files together, run the script there.")
    try:
        told = json.loads((folder / "scene.json").read_text("utf-8"))
    except ValueError as error:
        raise Stop(f"scene.json can't be read ({error}): export the package again.") from None
    if not (folder / told["mesh"]).is_file():
        raise Stop(f"{told['mesh']} is missing beside build_scene.py: export the package again.")
    return folder, told


def build(package: Package) -> None:
    """Fills the scene."""
    scene = package.scene
    if bpy.context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    clear(package.name)
    set_up(scene, package.told)
    garment = add_garment(package)
    add_openings(package, garment)
    cameras = add_cameras(package)
    add_planes(package)
    add_light(package)
    scene.camera = cameras[0]
    scene.frame_set(1)
    for layer in scene.view_layers:
        layer.objects.active = garment
        garment.select_set(True, view_layer=layer)
    set_viewports(scene, package.told["length_cm"] / 100)
    if package.missing:
        say(f"Missing beside build_scene.py: {', '.join(package.missing)}; the scene is built without.", box=True)
    say(f"Built {package.name}: {len(garment.data.vertices)} vertices, {len(cameras)} cameras")


def own_scene(name: str) -> Any:
    """The package's scene: the one built before, a new file's untouched one, or a new one beside the person's."""
    for scene in bpy.data.scenes:
        if scene.get(TAG) == name:
            return scene
    scene = bpy.context.scene
    names = {thing.name for thing in bpy.data.objects}
    new = not bpy.data.filepath and sum(len(mesh.vertices) for mesh in bpy.data.meshes) <= 8
    if new and names <= {"Cube", "Light", "Camera"}:
        for thing in list(bpy.data.objects):
            bpy.data.objects.remove(thing)
        for collection in list(bpy.data.collections):
            bpy.data.collections.remove(collection)
    if scene.objects or scene.get(TAG):
        scene = bpy.data.scenes.new(name)
    scene[TAG] = scene.name = name
    for window in windows():
        window.scene = scene
    return scene


def windows() -> list[Any]:
    """Blender's open windows."""
    return [window for manager in bpy.data.window_managers for window in manager.windows]


def clear(name: str) -> None:
    """Takes away what an earlier run made; a garment with another shape than was built is the person's and stays."""
    for thing in [o for o in bpy.data.objects if o.get(TAG) == name]:
        if "built" in thing and thing["built"] != shape_of(thing):
            thing.name = f"{name} (edited)"
            del thing[TAG]
        else:
            bpy.data.objects.remove(thing)
    blocks = (bpy.data.meshes, bpy.data.cameras, bpy.data.lights, bpy.data.materials, bpy.data.images)
    for group in blocks:  # materials before the images they use
        for block in [b for b in group if b.get(TAG) == name and not b.users]:
            group.remove(block)


def shape_of(thing: Any) -> str:
    """A short text that differs when a mesh object's vertices do."""
    points = np.empty(3 * len(thing.data.vertices), np.float32)
    thing.data.vertices.foreach_get("co", points)
    return f"{len(points)}-{zlib.crc32(points.tobytes()):08x}"


def set_up(scene: Any, told: dict[str, Any]) -> None:
    """Units, picture size, the timeline, and colours shown as they are in the pictures."""
    scene.unit_settings.system, scene.unit_settings.length_unit = "METRIC", "CENTIMETERS"
    scene.render.resolution_x, scene.render.resolution_y = told["size_wh"]
    scene.render.resolution_percentage = 100
    scene.frame_start, scene.frame_end = 1, max(camera["frame"] for camera in told["cameras"])
    with contextlib.suppress(TypeError):  # a studio's own colour configuration may not have it
        scene.view_settings.view_transform = "Standard"
    for marker in list(scene.timeline_markers):
        if marker.name in {camera["name"] for camera in told["cameras"]}:
            scene.timeline_markers.remove(marker)


def collection_of(package: Package, title: str, colour: str, hidden: bool = False) -> Any:
    """The scene's own collection of that title, made when it is not there."""
    own = f"{package.name}/{title}"
    for collection in package.scene.collection.children:
        if collection.get(TAG) == own:
            return collection
    collection = bpy.data.collections.new(title)
    collection[TAG], collection.color_tag = own, colour
    package.scene.collection.children.link(collection)
    for layer in package.scene.view_layers:
        layer.layer_collection.children[collection.name].hide_viewport = hidden
    return collection


def add(package: Package, collection: Any, name: str, data: Any = None) -> Any:
    """A new tagged object in the collection; without data an empty."""
    thing = bpy.data.objects.new(name, data)
    thing[TAG] = package.name
    if data is not None:
        data[TAG] = package.name
    collection.objects.link(thing)
    return thing


def add_garment(package: Package) -> Any:
    """The mesh with material, vertex groups, properties and a cloth modifier that is switched off."""
    told, mesh = package.told, read_mesh(package)
    garment = add(package, collection_of(package, "Garment", "COLOR_04"), package.name, mesh)
    mesh.materials.append(material_of(package))
    for title, indices in told["groups"].items():
        garment.vertex_groups.new(name=title).add(indices, 1.0, "REPLACE")
    pin = garment.vertex_groups.new(name="pin")
    for index, weight in zip(told["pin"]["vertices"], told["pin"]["weights"], strict=True):
        pin.add([index], weight, "REPLACE")
    garment["garment_class"], garment["length_cm"] = told["garment_class"], told["length_cm"]
    garment["openings"] = ", ".join(opening["name"] for opening in told["openings"])
    garment["built"] = shape_of(garment)
    cloth = garment.modifiers.new("Cloth", "CLOTH")
    cloth.show_viewport = cloth.show_render = False  # the timeline steps through the cameras until there is a body
    cloth.settings.quality, cloth.settings.vertex_group_mass = 8, pin.name
    cloth.collision_settings.use_self_collision = True
    cloth.collision_settings.self_distance_min = 0.003
    return garment


def read_mesh(package: Package) -> Any:
    """The OBJ file as one smooth mesh; an importer would not promise the vertex numbers that the groups have."""
    rows: dict[str, list[list[float]]] = {"v": [], "vt": []}
    corners: list[list[list[int]]] = []
    for line in (package.folder / package.told["mesh"]).read_text("utf-8").splitlines():
        keyword, *values = line.split() or [""]
        if keyword in rows:
            rows[keyword].append([float(value) for value in values])
        elif keyword == "f":
            corners.append([[int(number or 0) - 1 for number in corner.split("/")[:2]] for corner in values])
    points = np.array(rows["v"])[:, [0, 2, 1]] * (1, -1, 1)  # from +Y up to +Z up
    faces = np.array(corners)
    faces = faces[(faces[..., 0] != np.roll(faces[..., 0], 1, 1)).all(1)]  # Blender holds no triangle with two corners
    mesh = bpy.data.meshes.new(package.name)
    mesh.from_pydata(points.tolist(), [], faces[..., 0].tolist())
    mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), bool))
    if rows["vt"]:
        uv = np.array(rows["vt"], np.float32)[faces[..., 1]]
        mesh.uv_layers.new(name="UVMap").data.foreach_set("uv", uv.ravel())
    seams = {tuple(edge) for edge in package.told["seams"]}
    mesh.edges.foreach_set("use_seam", [tuple(sorted(edge.vertices)) in seams for edge in mesh.edges])
    mesh.validate()
    mesh.update()
    return mesh


def material_of(package: Package) -> Any:
    """One Principled material with the texture, and the normal map where there is one."""
    material = bpy.data.materials.new(package.name)
    material[TAG] = package.name
    nodes, links = tree_of(material).nodes, tree_of(material).links
    principled = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    for socket, value in {"Roughness": 0.9, "Specular": 0.2, "Specular IOR Level": 0.2}.items():
        if socket in principled.inputs:  # 4.0 gave the specular one its new name
            principled.inputs[socket].default_value = value
    normals = load(package, package.told["normal_map"])
    if normals is not None:
        normals.colorspace_settings.name = "Non-Color"
        picture, turn = nodes.new("ShaderNodeTexImage"), nodes.new("ShaderNodeNormalMap")
        picture.image, picture.location, turn.location = normals, (-600, -100), (-250, -100)
        turn.uv_map = "UVMap"
        links.new(picture.outputs["Color"], turn.inputs["Color"])
        links.new(turn.outputs["Normal"], principled.inputs["Normal"])
    texture = load(package, package.told["texture"])
    if texture is not None:
        colour = nodes.new("ShaderNodeTexImage")
        colour.image, colour.location = texture, (-600, 300)
        links.new(colour.outputs["Color"], principled.inputs["Base Color"])
        nodes.active = colour  # what the solid viewport shows and texture paint paints on
    return material


def tree_of(block: Any) -> Any:
    """The node tree of a material or a world; from 5.0 on they always have one."""
    if block.node_tree is None:
        block.use_nodes = True
    return block.node_tree


def load(package: Package, file: str | None) -> Any:
    """The picture, packed so that the .blend can be moved; None, and noted as missing, where it can't be read."""
    if file is None or file in package.missing:
        return None
    try:
        image = bpy.data.images.load(str(package.folder / file), check_existing=True)
        image.reload()
        image.pack()
    except RuntimeError:
        package.missing.append(file)
        return None
    image[TAG] = package.name
    return image


def add_openings(package: Package, garment: Any) -> None:
    """A named empty in the middle of each opening, its Z pointing out of the garment."""
    collection = collection_of(package, "Openings", "COLOR_05")
    for opening in package.told["openings"]:
        empty = add(package, collection, opening["name"])
        empty.empty_display_type, empty.empty_display_size = "ARROWS", package.told["length_cm"] / 2000
        empty.show_name = True
        empty.parent = garment
        empty.matrix_world = Matrix(opening["matrix_world"])
        empty["circumference_cm"] = opening["circumference_cm"]


def add_cameras(package: Package) -> list[Any]:
    """The cameras that took the pictures, locked, each with its picture and its frame on the timeline."""
    collection = collection_of(package, "Reference cameras", "COLOR_03")
    made = []
    for entry in package.told["cameras"]:
        camera = add(package, collection, entry["name"], bpy.data.cameras.new(entry["name"]))
        camera.matrix_world = Matrix(entry["matrix_world"])
        camera.lock_location = camera.lock_rotation = (True, True, True)
        camera["azimuth_deg"], camera["elevation_deg"] = entry["azimuth_deg"], entry["elevation_deg"]
        for key, value in entry["lens"].items():
            setattr(camera.data, key, value)
        picture = load(package, entry["file"])
        if picture is not None:
            over = camera.data.background_images.new()
            over.image, over.alpha, over.display_depth, over.frame_method = picture, 0.5, "FRONT", "FIT"
            camera.data.show_background_images = True
        package.scene.timeline_markers.new(entry["name"], frame=entry["frame"]).camera = camera
        made.append(camera)
    return made


def add_planes(package: Package) -> None:
    """Front, back and side pictures standing behind the garment, for orthographic views; hidden at first."""
    collection = collection_of(package, "Reference images", "COLOR_06", hidden=True)
    for entry in package.told["planes"]:
        plane = add(package, collection, entry["name"])
        plane.empty_display_type, plane.empty_display_size = "IMAGE", entry["size_m"]
        plane.data = load(package, entry["file"])
        plane.matrix_world = Matrix(entry["matrix_world"])
        plane.empty_image_side, plane.empty_image_depth = "FRONT", "BACK"
        plane.show_empty_image_perspective, plane.hide_select = False, True


def add_light(package: Package) -> None:
    """Even light from everywhere and a sun from the upper left, for rendered views."""
    world = package.scene.world
    if world is None or world.get(TAG) != package.name:
        world = bpy.data.worlds.new(package.name)
        world[TAG] = package.name
        for node in tree_of(world).nodes:
            if node.type == "BACKGROUND":
                node.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
                node.inputs["Strength"].default_value = 0.7
    package.scene.world = world
    sun = bpy.data.lights.new("Sun", "SUN")
    sun.energy, sun.angle = 1.2, 0.3
    lamp = add(package, collection_of(package, "Light", "COLOR_02", hidden=True), "Sun", sun)
    lamp.location, lamp.rotation_euler = (-1.0, -1.5, 2.5), (0.6, -0.35, 0.0)


def set_viewports(scene: Any, height: float) -> None:
    """Every 3D view of this scene looks through the camera at the textured, unlit model."""
    screens = [window.screen for window in windows() if window.scene == scene]
    for space in (space for screen in screens for area in screen.areas for space in area.spaces):
        if space.type == "VIEW_3D":
            space.shading.type, space.shading.color_type = "SOLID", "TEXTURE"
            space.shading.show_specular_highlight = False
            space.overlay.show_wireframes = space.overlay.show_relationship_lines = False
            view = space.region_3d
            if view is not None:  # and near the garment for who leaves the camera
                view.view_perspective, view.view_location, view.view_distance = "CAMERA", (0, 0, height / 2), 2 * height


def draw_all(package: Package, options: argparse.Namespace) -> None:
    """Draws what each camera sees with Cycles on the processor, on a transparent background."""
    scene, render = package.scene, package.scene.render
    try:
        render.engine = "CYCLES"
    except TypeError:
        raise Stop("This Blender has no Cycles: enable its add-on in the preferences.") from None
    scene.cycles.device, scene.cycles.samples = "CPU", options.samples
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    scene.cycles.pixel_filter_type = "BOX"
    render.film_transparent = render.use_persistent_data = True
    render.use_compositing = render.use_sequencer = False
    render.resolution_percentage = options.percent
    render.image_settings.file_format, render.image_settings.color_mode = "PNG", "RGBA"
    for entry in package.told["cameras"]:
        scene.frame_set(entry["frame"])
        render.filepath = str(options.render.resolve() / entry["name"])
        bpy.ops.render.render(write_still=True, scene=scene.name)
    scene.frame_set(1)
    say(f"Drew {len(package.told['cameras'])} pictures into {options.render.resolve()}")


def say(text: str, box: bool = False) -> None:
    """One line on the terminal, in letters that every terminal has; with `box` at the mouse too, where there is one."""
    sys.stdout.write(f"Garment3D: {text}\n".encode("ascii", "backslashreplace").decode())
    sys.stdout.flush()
    if box and not bpy.app.background:
        bpy.context.window_manager.popup_menu(lambda menu, _: menu.layout.label(text=text), title="Garment3D")


if __name__ == "__main__":
    main()
