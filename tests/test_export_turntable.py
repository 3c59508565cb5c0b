"""A film plays what was put in, in a form that every browser takes."""

import numpy as np
import pytest

from garment3d.camera import orbit
from garment3d.errors import SaveError
from garment3d.export.stills import PAPER, cutouts, turntable_frames
from garment3d.export.turntable import save_mp4
from garment3d.views.rendered import rendered_orbit
from tests.solids import cube

av = pytest.importorskip("av")


def flat_frames(colours, hw=(96, 128)):
    return [np.full((*hw, 3), colour, np.uint8) for colour in colours]


def test_a_film_has_every_frame_its_colours_and_its_index_in_front(tmp_path):
    colours = [(200, 40, 40), (40, 180, 60), (30, 60, 200), (240, 238, 232)] * 3
    save_mp4(tmp_path / "turn.mp4", flat_frames(colours), fps=24)
    data = (tmp_path / "turn.mp4").read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")
    with av.open(str(tmp_path / "turn.mp4")) as film:
        stream = film.streams.video[0]
        assert stream.codec_context.name == ("h264" if "libx264" in av.codecs_available else "mpeg4")
        assert stream.codec_context.pix_fmt == "yuv420p" and stream.average_rate == 24
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]
    assert len(frames) == len(colours)
    for frame, colour in zip(frames, colours, strict=True):
        assert frame.shape == (96, 128, 3)
        assert np.abs(frame[20:-20, 20:-20].reshape(-1, 3).mean(0) - colour).max() < 6


def test_odd_sizes_lose_a_row_and_a_column(tmp_path):
    save_mp4(tmp_path / "odd.mp4", flat_frames([(90, 90, 90)] * 2, (97, 129)))
    with av.open(str(tmp_path / "odd.mp4")) as film:
        assert (film.streams.video[0].height, film.streams.video[0].width) == (96, 128)


def test_without_x264_the_film_is_mpeg4(tmp_path, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    save_mp4(tmp_path / "turn.mp4", flat_frames([(200, 40, 40), (40, 180, 60)]))
    with av.open(str(tmp_path / "turn.mp4")) as film:
        assert film.streams.video[0].codec_context.name == "mpeg4"
        assert sum(1 for _ in film.decode(film.streams.video[0])) == 2


def test_no_frames_or_an_error_in_the_middle_leave_the_old_film(tmp_path):
    (tmp_path / "turn.mp4").write_bytes(b"old")
    with pytest.raises(SaveError, match="at least one frame"):
        save_mp4(tmp_path / "turn.mp4", [])

    def breaking():
        yield from flat_frames([(1, 2, 3)])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_mp4(tmp_path / "turn.mp4", breaking())
    assert [p.name for p in tmp_path.iterdir()] == ["turn.mp4"] and (tmp_path / "turn.mp4").read_bytes() == b"old"


def test_the_turntable_starts_at_the_photos_side_and_goes_once_around():
    told = []
    frames = list(turntable_frames(cube(), 4, 64, 0.0, progress=lambda done, total: told.append((done, total))))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert np.allclose(frames[0][1, 1] / 255, PAPER, atol=1 / 255)
    # Front blue, then the camera moves to +X (red), the back (yellow), -X (cyan); light only darkens.
    lit = [frame[32, 32] > 100 for frame in frames]
    assert [tuple(map(bool, colour)) for colour in lit] == [
        (False, False, True), (True, False, False), (True, True, False), (False, True, True),
    ]  # fmt: skip


def test_cutouts_have_the_garments_own_colours_up_to_their_soft_edge():
    views = rendered_orbit(cube(), orbit(90, hw=(63, 63)), shading="unlit")
    pictures = cutouts(views)
    assert pictures.shape == (4, 63, 63, 4) and pictures.dtype == np.uint8
    for picture, colour in zip(pictures, [(0, 0, 255), (255, 0, 0), (255, 255, 0), (0, 255, 255)], strict=True):
        inside = picture[..., 3] > 0
        assert (picture[inside][:, 3] < 255).any()
        assert np.abs(picture[inside][:, :3].astype(int) - colour).max() <= 2
        assert not picture[~inside].any()
