"""Seconds and memory from TripoSR's planes to a coloured mesh: the original's code against ours, in one run.

    python -m benchmarks.triposr_extract --official FOLDER [--official-python PYTHON] [--resolutions 128 256 512]

FOLDER is a checkout of github.com/VAST-AI-Research/TripoSR, PYTHON an interpreter that can import it (torch,
transformers 4.35, omegaconf, einops, trimesh, scikit-image; default: the one that runs this). scikit-image stands in
for torchmcubes; the original asks its decoder 8192 points at a time, as its own script does. The scenes are those of
tests/fixtures, read by a decoder of the official size. Every measurement has a process of its own, whose resident
memory is watched from outside; memory is what a run takes above what the process held before. Both sides take turns;
times are the best of `--repeat`. At 512 the original takes minutes. Each line ends in the ratio of the times.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
SMALL = 40
THRESHOLD = 25.0
Work = Callable[[int], tuple[np.ndarray, np.ndarray, str]]
"""From a resolution to vertices in TripoSR's own frame, faces, and what is told of the run."""


class Run(NamedTuple):
    seconds: float
    cpu_seconds: float
    peak_mb: float
    vertices: np.ndarray
    """[V,3] in TripoSR's own frame."""
    faces: np.ndarray
    told: str


def serve(options: argparse.Namespace) -> None:
    """Loads one side, warms it up, then works when a line comes in."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not come between the answers
    import torch

    torch.set_num_threads(options.threads)
    work = SIDES[options.serve](options)
    work(SMALL)
    print("ready", file=answers, flush=True)
    sys.stdin.readline()
    begin, cpu = time.perf_counter(), time.process_time()
    vertices, faces, told = work(options.resolutions[0])
    answer = {"seconds": time.perf_counter() - begin, "cpu_seconds": time.process_time() - cpu, "told": told}
    print(json.dumps(answer), file=answers, flush=True)
    np.savez(options.out, vertices=vertices, faces=faces)


def original(options: argparse.Namespace) -> Work:
    """The original's own extract_mesh, given its own decoder and renderer; the transformer is not built."""
    from types import SimpleNamespace

    import torch

    from tests.fixtures.make_triposr import import_original
    from tests.scenes import fitted_scene

    scene = fitted_scene(options.scenes[0])
    import_original(options.official)
    from tsr.models.nerf_renderer import TriplaneNeRFRenderer
    from tsr.models.network_utils import NeRFMLP
    from tsr.system import TSR

    decoder = NeRFMLP({"in_channels": 120, "n_neurons": 64, "n_hidden_layers": 9, "activation": "silu"})
    decoder.load_state_dict(scene.decoder.state_dict())
    renderer = TriplaneNeRFRenderer({
        "radius": 0.87, "feature_reduction": "concat", "density_activation": "exp", "density_bias": -1.0,
        "num_samples_per_ray": 128,
    })  # fmt: skip
    renderer.set_chunk_size(8192)
    model = SimpleNamespace(renderer=renderer, decoder=decoder.eval(), isosurface_helper=None)
    model.set_marching_cubes_resolution = lambda resolution: TSR.set_marching_cubes_resolution(model, resolution)

    def work(resolution: int) -> tuple[np.ndarray, np.ndarray, str]:
        with torch.no_grad():
            mesh = TSR.extract_mesh(model, scene.planes[None], True, resolution, THRESHOLD)[0]
        return mesh.vertices, mesh.faces, ""

    return work


def ours(options: argparse.Namespace) -> Work:
    from garment3d.surface.triposr.mesh import triposr_mesh
    from tests.scenes import fitted_scene

    scene = fitted_scene(options.scenes[0])

    def work(resolution: int) -> tuple[np.ndarray, np.ndarray, str]:
        mesh, _, figures = triposr_mesh(scene, resolution, THRESHOLD)
        told = f"{100 * figures.share:.1f} % of the grid, {figures.cells} cells, {figures.flooded} by flood"
        return scene.own(mesh.vertices), mesh.faces, told

    return work


SIDES = {"original": original, "ours": ours}


def measured(side: str, scene: str, resolution: int, options: argparse.Namespace, folder: Path) -> Run:
    """One run in a fresh process; a thread here reads its resident memory every few milliseconds."""
    python = options.official_python if side == "original" else sys.executable
    out = folder / f"{side}.npz"
    command = [python, __file__, "--serve", side, "--official", str(options.official), "--scenes", scene]
    command += ["--resolutions", str(resolution), "--threads", str(options.threads), "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads), "OMP_WAIT_POLICY": "PASSIVE"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin and process.stdout and process.stderr
        if not process.stdout.readline():
            sys.exit(f"{side} can't run: {' '.join(process.stderr.read().strip().splitlines()[-1:])}. See --help.")
        held, peak, done = resident_mb(process.pid), [0.0], threading.Event()

        def watch() -> None:
            while not done.wait(0.004):
                peak[0] = max(peak[0], resident_mb(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        process.stdin.write("go\n")
        process.stdin.flush()
        line = process.stdout.readline()
        done.set()
        watcher.join()
        if not line:
            sys.exit(f"{side} failed at {resolution}: {' '.join(process.stderr.read().strip().splitlines()[-1:])}")
        answer = json.loads(line)
        process.communicate()
    with np.load(out) as mesh:
        vertices, faces = mesh["vertices"], mesh["faces"]
    return Run(answer["seconds"], answer["cpu_seconds"], peak[0] - held, vertices, faces, answer["told"])


def resident_mb(pid: int) -> float:
    """Megabytes of a process that lie in memory; nan where the system has no /proc."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, IndexError):
        return float("nan")


def differing_cells(a: Run, b: Run, resolution: int) -> tuple[int, float]:
    """Cells whose triangles are not the same on both sides, and how far a's vertices are from b's at most, in cells.

    Vertices less than a hundredth of a cell apart count as one: where the field is flat, float32 leaves that much open.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    scale, half = (resolution - 1) / 1.74, (resolution - 1) / 2
    grids = [np.asarray(run.vertices) * scale + half for run in (a, b)]
    both = np.concatenate(grids)
    pairs = KDTree(both).query_pairs(1e-2, output_type="ndarray")
    links = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (len(both),) * 2)
    number = connected_components(links, directed=False)[1]
    found = []
    for faces, first in ((a.faces, 0), (b.faces, len(grids[0]))):
        corners = number[faces + first]
        whole = (corners != np.roll(corners, 1, 1)).all(1)
        cell = np.floor(both[faces[whole] + first].mean(1)).astype(np.int64)
        turned = corners[whole][np.arange(whole.sum())[:, None], (corners[whole].argmin(1)[:, None] + np.arange(3)) % 3]
        found.append({tuple(turn): tuple(at) for turn, at in zip(turned.tolist(), cell.tolist(), strict=True)})
    odd = found[0].keys() ^ found[1].keys()
    apart = float(KDTree(grids[1]).query(grids[0])[0].max())
    return len({(found[0].get(key) or found[1][key]) for key in odd}), apart


def roughness_deg(run: Run) -> float:
    """Root mean square angle between neighbouring faces: terraces raise it."""
    import trimesh

    mesh = trimesh.Trimesh(run.vertices, run.faces, process=False)
    area = mesh.area_faces[mesh.face_adjacency].min(1)
    angles = np.degrees(mesh.face_adjacency_angles)
    return float(np.sqrt((area * angles**2).sum() / area.sum()))


def best(runs: list[Run]) -> Run:
    fastest = min(runs, key=lambda run: run.seconds)
    cpu, peak = min(run.cpu_seconds for run in runs), max(run.peak_mb for run in runs)
    return fastest._replace(cpu_seconds=cpu, peak_mb=peak)


def compared(scene: str, resolution: int, options: argparse.Namespace) -> None:
    runs: dict[str, list[Run]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.repeat):
            for side in SIDES:
                runs[side].append(measured(side, scene, resolution, options, Path(folder)))
    theirs, own = best(runs["original"]), best(runs["ours"])
    cells, apart = differing_cells(theirs, own, resolution)
    for side, run in (("original", theirs), ("ours", own)):
        print(
            f"  {side:9s}{run.seconds:8.2f} s, {run.cpu_seconds:.1f} s of processor, {run.peak_mb:.0f} MB,"
            f" {len(run.faces)} faces, {roughness_deg(run):.2f}° between neighbours{', ' * bool(run.told)}{run.told}"
        )
    print(
        f"{scene} at {resolution}: {cells} differing cells, vertices within {apart:.0e} of a cell,"
        f" memory {theirs.peak_mb / own.peak_mb:.1f}x less, processor time {theirs.cpu_seconds / own.cpu_seconds:.1f}x"
        f" less, {theirs.seconds / own.seconds:.1f}x",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--official", type=Path, required=True, help="checkout of the original's repository")
    parser.add_argument("--official-python", default=sys.executable, help="interpreter that can import it")
    parser.add_argument("--resolutions", type=int, nargs="+", default=[128, 256, 512])
    parser.add_argument("--scenes", nargs="+", default=["shirt"], help="shirt, sphere, straps")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--serve", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options)
        return
    if not (options.official / "tsr" / "system.py").is_file():
        sys.exit(f"{options.official} holds no tsr/system.py; give a checkout of github.com/VAST-AI-Research/TripoSR.")
    print(f"TripoSR's planes to a coloured mesh, {options.threads} threads, best of {options.repeat}")
    for scene in options.scenes:
        for resolution in options.resolutions:
            compared(scene, resolution, options)


if __name__ == "__main__":
    main()
