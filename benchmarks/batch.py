"""200 synthetic photos through a batch that is killed in the middle: all done, none twice, memory and throughput.

    python benchmarks/batch.py [--photos 200] [--workers 2] [--keep FOLDER] [--seed 0]

The first run is killed with its whole process group (SIGKILL) at a random moment; the second goes on and loses one
worker to a SIGKILL; the third finds nothing to do. Photos are 360×480 pixels and bring their true masks, so that it
is the batch that is measured; garments are saved as GLB with 512 px textures, 5000 triangles and 6 views of 256 px,
without turntables. POSIX only, as it kills process groups.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

HW = (480, 360)
STEP_CM = 1.2
SAMPLE_S = 1.0


class Memory(NamedTuple):
    """What a process held at a moment."""

    time: float
    pid: int
    gb: float


class Ran(NamedTuple):
    """One run of the batch."""

    seconds: float
    status: int
    workers: list[Memory]
    parent: list[Memory]


def child(photos: Path, out: Path, workers: int) -> None:
    """The batch itself, in a process that is there to be killed."""
    from garment3d.batch.options import BatchOptions
    from garment3d.batch.run import run_batch
    from garment3d.pipeline import Settings

    settings = Settings(mask=masks_of(photos), texture_px=512, triangles=5000, view_px=256, step_deg=60.0)
    print(
        run_batch(photos, out, settings, BatchOptions(workers=workers, formats=("glb",), turntable=False)), flush=True
    )


def masks_of(photos: Path) -> Path:
    """Where the masks of a folder of photos lie."""
    return photos.with_name(f"{photos.name}_masks")


def make_photos(folder: Path, count: int) -> None:
    """The first `count` photos of the truth set and their masks; those of an earlier benchmark are kept."""
    from PIL import Image

    from tests.truth import truth_set

    masks = masks_of(folder)
    for place in (folder, masks):
        place.mkdir(parents=True, exist_ok=True)
    if len(list(folder.glob("*.jpg"))) == len(list(masks.glob("*.png"))) == count:
        return
    for i, truth in enumerate(truth_set(count, hw=HW, step_cm=STEP_CM)):
        name = f"{i:03d}_{truth.garment.garment_class}"
        Image.fromarray(truth.photo.rgb).save(folder / f"{name}.jpg", quality=92)
        Image.fromarray((truth.photo.soft * 255 + 0.5).astype("uint8")).save(masks / f"{name}.mask.png")


def lines(out: Path) -> list[dict]:
    """The whole lines of the journal."""
    path = out / "batch.jsonl"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]


def done(out: Path) -> Counter[str]:
    """How often each photo was done."""
    return Counter(line["photo"] for line in lines(out) if line["event"] == "done")


def memory_gb(pid: int) -> float:
    """Memory of a process that is its own or shared, in GB; 0 once it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024e-9 for line in status.splitlines() if line.startswith("VmRSS")), 0.0)


def workers_of(pid: int) -> list[int]:
    """The processes that a batch has spawned for photos."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
            if parent == pid and b"spawn_main" in (stat.parent / "cmdline").read_bytes():
                found.append(int(stat.parent.name))
        except OSError:
            continue
    return found


def run(photos: Path, out: Path, workers: int, kill_all_at: int = 0, kill_one_at: int = 0) -> Ran:
    """Runs the batch, killed whole or robbed of a worker once so many photos are done in all; 0 lets it be."""
    command = [sys.executable, __file__, "--child", photos, out, str(workers)]
    began = time.monotonic()
    process = subprocess.Popen([str(c) for c in command], start_new_session=True)
    mine: list[Memory] = []
    theirs: list[Memory] = []
    while process.poll() is None:
        time.sleep(SAMPLE_S)
        at, alive = time.monotonic() - began, workers_of(process.pid)
        mine.append(Memory(at, process.pid, memory_gb(process.pid)))
        theirs += [Memory(at, pid, memory_gb(pid)) for pid in alive]
        count = len(done(out))
        if kill_one_at and count >= kill_one_at and alive:
            os.kill(random.choice(alive), signal.SIGKILL)
            print(f"  a worker was killed when {count} were done")
            kill_one_at = 0
        if kill_all_at and count >= kill_all_at:
            time.sleep(random.uniform(0, 3))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return Ran(time.monotonic() - began, process.returncode, theirs, mine)


def tell_memory(ran: Ran, out: Path) -> None:
    """Memory by quarters of the run; workers younger than 20 s, still importing, are left out."""
    young = {pid: min(m.time for m in ran.workers if m.pid == pid) for pid in {m.pid for m in ran.workers}}
    grown = [m for m in ran.workers if m.time - young[m.pid] > 20]
    end = ran.seconds
    for name, samples in (("each worker", grown), ("the parent", ran.parent)):
        quarters = [[m.gb for m in samples if q * end / 4 <= m.time < (q + 1) * end / 4] for q in range(4)]
        told = ", ".join(f"{statistics.median(q):.2f}" if q else "-" for q in quarters)
        print(f"  memory of {name}, GB, median by quarter of the run: {told}; most {max(m.gb for m in samples):.2f}")
    print(f"  workers in this run: {len(young)}")


def check(photos: Path, out: Path) -> list[str]:
    """What is not as it must be; nothing when all is."""
    from garment3d.batch.rooms import result_in

    names = {path.name for path in photos.glob("*.jpg")}
    counts, wrong = done(out), []
    refused = {line["photo"]: line["sentence"] for line in lines(out) if line["event"] == "failed"}
    wrong += [f"{name}: {sentence}" for name, sentence in refused.items() if name not in counts]
    twice = [name for name, times in counts.items() if times > 1]
    half = [name for name in names if result_in(out / Path(name).stem) is None]
    wrong += [f"{len(names - set(counts))} photos are not done"] if names - set(counts) else []
    wrong += [f"done twice: {', '.join(twice)}"] if twice else []
    wrong += [f"not whole: {', '.join(half)}"] if half else []
    rooms = [path.name for path in out.glob(".*") if path.name != ".batch"]
    return wrong + ([f"left over: {', '.join(rooms)}"] if rooms else [])


def bench(photos: Path, out: Path, workers: int) -> int:
    """The three runs; 0 if everything held."""
    total = len(list(photos.glob("*.jpg")))
    first = run(photos, out, workers, kill_all_at=random.randint(total // 4, total // 2))
    saved = {name: (out / Path(name).stem / "report.json").stat().st_mtime_ns for name in done(out)}
    rooms = len(list(out.glob(".*.????????")))
    print(f"run 1: killed after {first.seconds:.0f} s with {len(saved)} of {total} done, {rooms} half-written folders")
    second = run(photos, out, workers, kill_one_at=len(saved) + random.randint(2, max(2, (total - len(saved)) // 2)))
    more = total - len(saved)
    print(f"run 2: {more} more in {second.seconds:.0f} s, {60 * more / second.seconds:.1f} photos per minute, "
          f"{workers} workers, starting included")  # fmt: skip
    tell_memory(second, out)
    third = run(photos, out, workers)
    print(f"run 3: nothing to do, {third.seconds:.1f} s")
    wrong = check(photos, out)
    again = [n for n, at in saved.items() if (out / Path(n).stem / "report.json").stat().st_mtime_ns != at]
    wrong += [f"written again: {', '.join(again)}"] if again else []
    wrong += [f"run {i} ended with {r.status}" for i, r in ((2, second), (3, third)) if r.status]
    starts = sum(line["event"] == "start" for line in lines(out))
    print(f"{len(done(out))} of {total} done, each once; {starts - total} photos were begun again after a kill")
    for sentence in wrong:
        print(f"WRONG: {sentence}")
    return 1 if wrong else 0


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder for the photos, kept for the next time, and the results")
    parser.add_argument("--seed", type=int, default=None, help="of the moments of the kills")
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    with tempfile.TemporaryDirectory() as temporary:
        place = arguments.keep or Path(temporary)
        make_photos(place / f"photos{arguments.photos}", arguments.photos)
        out = place / f"out{int(time.time())}"
        sys.exit(bench(place / f"photos{arguments.photos}", out, arguments.workers))


if __name__ == "__main__":
    main()
