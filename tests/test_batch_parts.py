"""The parts of a batch one by one: what counts as done, what a kill leaves, names, the lock, the table and the page."""

import csv
import io
import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from garment3d.batch import capacity
from garment3d.batch.identity import choices, choices_id, content, difference, stamp
from garment3d.batch.index import index_html
from garment3d.batch.journal import Entry, Journal, read_journal
from garment3d.batch.lock import hold, is_free
from garment3d.batch.options import BatchOptions
from garment3d.batch.photos import find_photos, folder_names
from garment3d.batch.plan import make_plan
from garment3d.batch.rooms import recover, result_in
from garment3d.batch.rows import Row, finished_row, table
from garment3d.batch.thumbs import save_thumbs
from garment3d.batch.worker import _share_cores, sentence, settings_of
from garment3d.engines import Models
from garment3d.errors import MaskError, SaveError, UnclearGarment
from garment3d.export.folder import OURS
from garment3d.pipeline import Settings

ROOT = Path(__file__).parents[1]


def picture(path, size=(40, 60)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (90, 120, 60)).save(path)
    return path


def result(folder, photo, text="one"):
    """A folder as a run leaves it."""
    (folder / "views").mkdir(parents=True, exist_ok=True)
    Image.new("RGBA", (30, 50), (200, 30, 30, 255)).save(folder / "views" / "000.png")
    (folder / "garment.glb").write_text(text)
    report = {"photo": {"file": photo}, "files": ["garment.glb", "views/000.png"], "warnings": [], "text": text}
    (folder / "report.json").write_text(json.dumps(report))


@pytest.fixture
def shop(tmp_path):
    picture(tmp_path / "shop" / "a.jpg")
    return tmp_path / "shop"


def test_a_torn_line_is_passed_over_and_what_follows_it_is_kept(tmp_path):
    path = tmp_path / "batch.jsonl"
    entry = Entry("done", "ä.jpg", "ä", (("ä.jpg", 3, 5),), "c", "s", "r")
    journal = Journal(path)
    journal.write(entry)
    journal.close()
    whole = path.read_bytes()
    for cut in range(1, len(whole)):
        path.write_bytes(whole + whole[:cut])
        journal = Journal(path)
        journal.write(entry._replace(photo="b.jpg"))
        journal.close()
        ends = read_journal(path).ends
        assert set(ends) == {"ä.jpg", "b.jpg"} and ends["ä.jpg"]._replace(time=0.0) == entry
    path.write_bytes(b'{"event": "done", "photo": "x"}\n[1]\n\xff\n' + whole)
    assert set(read_journal(path).ends) == {"ä.jpg"}


@pytest.fixture
def plan(shop, tmp_path):
    """What is planned for a.jpg after these events, each with the report that was there at its time."""

    def made(*told, settings="s", **options):
        photo = find_photos(shop, tmp_path / "out")[0]
        journal = Journal(tmp_path / "batch.jsonl")
        for event, report in told:
            journal.write(Entry(event, "a.jpg", "a", stamp(photo.files), content(photo.files), "s", report, "why"))
        journal.close()
        history = read_journal(tmp_path / "batch.jsonl")
        return make_plan([photo], tmp_path / "out", history, settings, {"x": 1}, BatchOptions(**options))

    return made


def test_done_is_what_the_journal_and_the_folder_agree_on(plan, shop, tmp_path):
    assert [todo.why for todo in plan().todo] == ["new"]
    folder = tmp_path / "out" / "a"
    result(folder, "a.jpg")
    digest = result_in(folder).digest
    done = plan(("done", digest))
    assert [(one.photo.name, one.noted) for one in done.finished] == [("a.jpg", True)] and not done.todo
    assert plan(again=True).todo[0].why == "asked for"
    assert plan(settings="other").todo[0].why.startswith("other settings")
    os.utime(shop / "a.jpg", (1, 1))
    assert not plan().todo
    (folder / "views" / "000.png").write_bytes(b"")  # as a power cut leaves it
    assert [todo.why for todo in plan().todo] == ["its files are missing"]
    result(folder, "a.jpg")
    picture(shop / "a.jpg", (41, 60))
    assert plan(("start", digest)).todo[0].why == "interrupted"


def test_a_result_that_came_after_the_last_line_counts(plan, tmp_path):
    """A kill between the folder and its line, or a person who ran a failed photo with a box of their own."""
    folder = tmp_path / "out" / "a"
    assert plan(("start", None)).todo[0].why == "interrupted"
    result(folder, "a.jpg")
    adopted = plan()
    assert not adopted.todo and [one.noted for one in adopted.finished] == [False]
    digest = result_in(folder).digest
    assert plan(("start", digest)).todo[0].begun == 2
    assert plan(("failed", digest)).todo[0].why == "failed"
    left = plan(skip_failed=True)
    assert [one.entry.sentence for one in left.left_out] == ["why"] and not left.todo
    result(folder, "a.jpg", "by hand")
    assert [one.noted for one in plan().finished] == [False]
    result(folder, "other.jpg", "of another photo")
    assert plan().todo[0].why == "failed"


KILLED = """
import os, sys
from pathlib import Path
from garment3d.export import folder
left, real = int(sys.argv[2]), os.replace
def replace(*paths):
    global left
    left -= 1
    if left < 0: os._exit(9)
    real(*paths)
folder.os.replace = replace
with folder.staged(sys.argv[1]) as room:
    (room / "views").mkdir()
    for name in ("mask.png", "views/000.png", "garment.glb", "report.json", "report.html"):
        (room / name).write_text("new")
"""


@pytest.mark.parametrize("moves", range(11))
def test_a_folder_is_all_old_or_all_new_wherever_the_kill_falls(tmp_path, moves):
    """Five old and five new files to move: the eleventh move never comes, and the room is gone by itself."""
    folder = tmp_path / "tee"
    (folder / "views").mkdir(parents=True)
    for name in ("mask.png", "views/000.png", "views/180.png", "sources.png", "report.json", "report.html", "own.txt"):
        (folder / name).write_text("old")
    subprocess.run([sys.executable, "-c", KILLED, folder, str(moves)], cwd=ROOT, check=False)
    (tmp_path / ".tee.notaroom").mkdir()
    stranger = tmp_path / ".tee.0123abcd"
    stranger.mkdir()
    (stranger / "diary.txt").write_text("mine")
    recover(tmp_path, {"tee.png": (Entry("start", "tee.png", "tee", (), "", "s", None),)})
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert (folder / "own.txt").read_text() == "old"
    assert files == sorted(["mask.png", "views/000.png", "garment.glb", "report.json", "report.html", "own.txt"])
    assert {(folder / name).read_text() for name in files if name != "own.txt"} == {"new"}
    assert sorted(p.name for p in tmp_path.iterdir()) == [".tee.0123abcd", ".tee.notaroom", "tee"]


def test_half_written_rooms_go_and_leave_the_old_result(tmp_path):
    room = tmp_path / ".tee.01234567"
    room.mkdir()
    (room / OURS[0]).write_text("new")
    (room / ".garment.89abcdef.glb").write_text("half")
    (tmp_path / ".batch.01234567.csv").write_text("half")
    result(tmp_path / "tee", "tee.png")
    before = result_in(tmp_path / "tee")
    recover(tmp_path, {"tee.png": (Entry("start", "tee.png", "tee", (), "", "s", None, time=9e12),)})
    assert room.exists()  # older than the start: another's
    recover(tmp_path, {"tee.png": (Entry("start", "tee.png", "tee", (), "", "s", None),)})
    assert [p.name for p in tmp_path.iterdir()] == ["tee"] and result_in(tmp_path / "tee") == before


def test_the_lock_ends_with_its_holder(tmp_path):
    path = tmp_path / "batch.lock"
    code = "import sys; from garment3d.batch.lock import Lock; from pathlib import Path; kept = Lock(Path(sys.argv[1]))"
    wait = f"{code}; print('held', flush=True); import time; time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", wait, path], cwd=ROOT, stdout=subprocess.PIPE)
    assert holder.stdout.readline().strip() == b"held"
    assert not is_free(path)
    with pytest.raises(SaveError, match=rf"process {holder.pid}\) is working in DIR"):
        hold(path, "DIR")
    holder.kill()
    holder.wait()
    holder.stdout.close()
    kept = hold(path, "DIR")
    assert not is_free(path)
    kept.release()
    assert is_free(path)


def test_photos_are_found_without_what_the_batch_made_of_them(tmp_path):
    for name in ("b.JPG", "a.png", "a.mask.png", ".hidden.png", "sub/a.png", "sub/c_back.png", "out/a/views/000.png",
                 "made/mask.png", "text.png/x.webp", "c.png"):  # fmt: skip
        picture(tmp_path / name)
    (tmp_path / "made" / "report.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("no photo")
    names = [photo.name for photo in find_photos(tmp_path, tmp_path / "out")]
    assert names == ["a.png", "b.JPG", "c.png"]
    deep = find_photos(tmp_path, tmp_path / "out", True, tmp_path, tmp_path / "sub", {"a.png": "old-name"})
    assert [(photo.name, photo.folder) for photo in deep] == [
        ("a.png", "old-name"), ("b.JPG", "b"), ("c.png", "c"), ("sub/a.png", "sub-a"), ("text.png/x.webp", "text.png-x")
    ]  # fmt: skip
    assert deep[0].mask == tmp_path / "a.mask.png" and deep[2].back == tmp_path / "sub" / "c_back.png"
    assert deep[1].mask is None and deep[2].files == (deep[2].path, deep[2].back)


def test_folders_are_named_once_and_never_like_the_batch_s_own():
    names = ["Tee.png", "tee.jpg", "index.html.png", "dots...png", "a/b.png", "a-b.png"]
    given = folder_names(names, {})
    assert given == ("Tee", "tee-2", "index.html-2", "dots", "a-b", "a-b-2")
    known = dict(zip(names, given, strict=True))
    assert folder_names(["TEE.bmp", *names], known) == ("TEE-3", *given)  # those that have one keep it


def test_choices_differ_where_results_would(shop, tmp_path):
    base = choices(Settings(), BatchOptions(), Models())
    for other in (
        Settings(texture_px=512),
        Settings(seed=7),
        Settings(box=(0, 0, 9, 9)),
        Settings(mask=shop / "a.jpg"),
    ):
        assert choices_id(choices(other, BatchOptions(), Models())) != choices_id(base)
    assert choices_id(choices(Settings(), BatchOptions(turntable=False), Models())) != choices_id(base)
    assert choices_id(choices(Settings(), BatchOptions(workers=9, again=True), Models())) == choices_id(base)
    assert choices_id(choices(Settings(models=tmp_path), BatchOptions(), Models(tmp_path))) == choices_id(base)
    assert difference(base, choices(Settings(texture_px=512), BatchOptions(), Models())) == "texture_px was 2048"


def test_the_table_survives_a_spreadsheet(tmp_path):
    evil = Row('=cmd|"/C calc".png', "failed", "failed", '-1+2, "quoted"\nand a line')
    rows = [
        evil,
        Row("@x.png", "done", "check", "ok", "tee", 70.0, 900, ("neck", "hem"), 0.98, -1.5, 3.2, ("a", "b"), "+x"),
    ]
    data = table(rows)
    assert data.startswith(b"\xef\xbb\xbf")
    read = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert read[0]["photo"] == "'" + evil.photo and read[0]["sentence"] == "'" + evil.sentence
    assert read[0]["silhouette_iou"] == "" and read[0]["folder"] == ""
    assert (read[1]["photo"], read[1]["folder"], read[1]["front_psnr_db"]) == ("'@x.png", "'+x", "-1.5")
    assert (read[1]["openings"], read[1]["warnings"], read[1]["class"]) == ("neck hem", "a | b", "tee")
    assert not any(cell[:1] in "=+@" for row in read for cell in row.values() if cell)


@pytest.mark.parametrize(
    ("told", "verdict"),
    [({"quality": {"verdict": "reject"}}, "reject"), ({"quality": None, "warnings": ["x"]}, "check"), ({}, "good"),
     ({"quality": {"verdict": None}, "figures": None, "openings": None}, "good")],
)  # fmt: skip
def test_a_row_tells_the_verdict_of_the_report(tmp_path, told, verdict):
    result(tmp_path / "a", "a.jpg")
    report = json.loads((tmp_path / "a" / "report.json").read_text())
    (tmp_path / "a" / "report.json").write_text(json.dumps(report | told))
    assert finished_row("a.jpg", tmp_path, "a").verdict == verdict
    (tmp_path / "a" / "garment.glb").unlink()
    assert finished_row("a.jpg", tmp_path, "a").status == "waiting"


class Page(HTMLParser):
    """The tags with what they say, and the text of headings."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.titles, self._open = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_data(self, data):
        if self._open == "h2" and data.strip():
            self.titles.append(data)
            self._open = ""


def test_the_page_shows_every_photo_the_worst_first_and_links_to_its_report():
    rows = [Row("b&<.png", "done", "good", folder="b&<"), Row("a b#.png", "done", "reject", "Bad.", folder="a b#")]
    rows += [
        Row("c.png", "failed", "failed", "<script>", folder="c"),
        Row("d.png", "waiting", "waiting", "", folder="d"),
    ]
    text = index_html(rows, "shop & co")
    page = Page(text)
    assert page.titles == ["c", "a b#", "b&<", "d"]
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert links == ["batch.csv", "a%20b%23/report.html", "b%26%3C/report.html"]
    sources = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(sources) == 6 and all(a["loading"] == "lazy" and a["src"].startswith("thumbs/") for a in sources)
    assert "<script>" not in text.replace("<script>\nconst", "") and "http" not in text.replace("http-equiv", "")
    shown = [attrs["data-show"] for tag, attrs in page.tags if tag == "button"]
    assert shown == ["", "good", "reject", "failed", "waiting"]


def test_thumbnails_are_small_and_those_that_cant_be_made_are_left_out(tmp_path):
    (tmp_path / "noise.png").write_bytes(b"no picture")
    result(tmp_path / "out" / "noise", "noise.png")
    Image.effect_noise((900, 700), 90).convert("RGBA").save(tmp_path / "out" / "noise" / "views" / "000.png")
    save_thumbs(tmp_path / "noise.png", tmp_path / "out", "noise")
    made = {path.name: path.stat().st_size for path in (tmp_path / "out" / "thumbs").iterdir()}
    assert set(made) == {"noise.garment.webp", "noise.turn.webp"}
    assert made["noise.garment.webp"] <= 15_000


def test_workers_fit_cores_and_memory(monkeypatch):
    monkeypatch.setattr(capacity, "cores", lambda: 8)
    for free_gb, models_gb, device, expected in [
        (64, 0, "cpu", 8),
        (9, 0, "cpu", 4),
        (1, 0, "cpu", 1),
        (64, 5, "cpu", 5),
        (64, 0, "cuda", 1),
        (None, 0, "cpu", 8),
    ]:
        monkeypatch.setattr(capacity, "available_gb", lambda free=free_gb: free)
        assert capacity.default_workers(models_gb, device) == expected
    monkeypatch.undo()
    free = capacity.available_gb()
    assert free is None or 0 < free < 1e5


def test_workers_share_the_cores_and_leave_smaller_numbers_alone(monkeypatch):
    monkeypatch.setattr(os, "environ", {"OMP_NUM_THREADS": "8", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "4,2"})
    _share_cores(2)
    assert [os.environ[f"{name}_NUM_THREADS"] for name in ("OMP", "MKL", "OPENBLAS")] == ["2", "1", "2"]


def test_each_photo_gets_its_own_mask_and_back(tmp_path):
    for name in ("a.png", "b.png", "masks/a.mask.png", "masks/b.mask.png", "backs/b.png"):
        picture(tmp_path / name)
    folders = Settings(mask=tmp_path / "masks", back=tmp_path / "backs", seed=7)
    a, b = find_photos(tmp_path, tmp_path / "out", False, folders.mask, folders.back)
    assert settings_of(a, folders) == Settings(mask=tmp_path / "masks" / "a.mask.png", seed=7)
    assert settings_of(b, folders).back == tmp_path / "backs" / "b.png"
    with pytest.raises(MaskError, match=r"masks holds no mask for a.png; name it a.mask.png"):
        settings_of(a._replace(mask=None), folders)
    assert settings_of(a, Settings(mask=tmp_path / "b.png")).mask == tmp_path / "b.png"


def test_what_goes_wrong_is_one_sentence_with_a_way_out():
    assert sentence(UnclearGarment("Garment and background\nlook alike.")).endswith("X0,Y0,X1,Y1).")
    assert "\n" not in sentence(UnclearGarment("a\nb."))
    assert sentence(KeyError("x")) == "Something unforeseen went wrong (KeyError: 'x'); --debug shows where."
