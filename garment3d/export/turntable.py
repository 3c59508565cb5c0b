"""A turn around the garment as an MP4 film that plays everywhere, through PyAV.

Its frames are taken one at a time, so that a long turn needs no more memory than a short one.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import SaveError
from ..images import replacing

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream


def save_mp4(path: str | Path, frames: Iterable[np.ndarray], fps: int = 24) -> None:
    """Films [H,W,3] uint8 sRGB frames: H.264 (MPEG-4 where PyAV has no x264), 4:2:0, index in front for the web.

    Odd sizes lose their last row or column, as 4:2:0 needs even ones; no frames raise SaveError.
    """
    import av

    stream = None
    # The index can only be moved to the front in a real file, so a buffer in memory won't do.
    with replacing(path) as partial, av.open(str(partial), "w", options={"movflags": "+faststart"}) as film:
        for frame in frames:
            height, width = frame.shape[0] // 2 * 2, frame.shape[1] // 2 * 2
            stream = stream or _stream(film, fps, (height, width))
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:height, :width]), format="rgb24")
            # Players take small films for BT.601 whatever they are tagged as: convert to that and say so.
            film.mux(stream.encode(picture.reformat(format="yuv420p", dst_colorspace="ITU601", dst_color_range="MPEG")))
        if stream is None:
            raise SaveError(f"{Path(path).name} was not saved: a film needs at least one frame.")
        film.mux(stream.encode())


def _stream(film: OutputContainer, fps: int, hw: tuple[int, int]) -> VideoStream:
    import av

    name = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    stream = film.add_stream(name, rate=Fraction(fps))
    stream.height, stream.width = hw
    stream.pix_fmt = "yuv420p"
    stream.codec_context.color_range, stream.codec_context.colorspace = 1, 5  # MPEG range, BT.470BG (= BT.601)
    stream.options = {"crf": "20", "preset": "veryfast"} if name == "libx264" else {"qscale": "3"}
    return stream
