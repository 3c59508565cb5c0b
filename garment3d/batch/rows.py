"""One line per photo: what its report says, read from its folder, as a table that any spreadsheet opens."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .rooms import result_in

VERDICTS = ("good", "check", "reject", "failed", "waiting")
"""From the best to the worst, then photos that have not been looked at yet."""
COLUMNS = ("photo", "status", "verdict", "sentence", "class", "length_cm", "triangles", "openings", "silhouette_iou",
           "front_psnr_db", "seconds", "warnings", "folder")  # fmt: skip


class Row(NamedTuple):
    """A photo and how it went; numbers are None where there is none."""

    photo: str
    status: str
    """done, failed or waiting."""
    verdict: str
    """One of VERDICTS."""
    sentence: str = ""
    """The verdict in words, or why it failed."""
    garment_class: str = ""
    length_cm: float | None = None
    triangles: int | None = None
    openings: tuple[str, ...] = ()
    silhouette_iou: float | None = None
    front_psnr_db: float | None = None
    seconds: float | None = None
    warnings: tuple[str, ...] = ()
    folder: str = ""
    """The name of its folder in the output, which only holds a result where the status is done."""


def finished_row(photo: str, output: Path, folder: str) -> Row:
    """The row of a result on disk; one that is no longer whole becomes a waiting one."""
    found = result_in(output / folder)
    if found is None:
        return Row(photo, "waiting", "waiting", folder=folder)
    report = found.report
    figures, quality = _part(report, "figures"), _part(report, "quality")
    warnings = tuple(str(warning) for warning in report.get("warnings") or ())
    verdict = quality.get("verdict")
    return Row(
        photo,
        "done",
        verdict if verdict in VERDICTS[:3] else "check" if warnings else "good",
        str(quality.get("sentence") or ""),
        str(report.get("garment_class") or ""),
        _number(report.get("length_cm")),
        figures.get("triangles"),
        tuple(str(opening.get("name")) for opening in report.get("openings") or ()),
        _number(figures.get("silhouette_iou")),
        _number(figures.get("front_psnr_db")),
        _number(_part(report, "seconds").get("total")),
        warnings,
        folder,
    )


def failed_row(photo: str, sentence: str, seconds: float, folder: str) -> Row:
    """The row of a photo that came to nothing."""
    return Row(photo, "failed", "failed", sentence, seconds=seconds, folder=folder)


def table(rows: Sequence[Row]) -> bytes:
    """The CSV file: UTF-8 with the mark that Excel needs, lines in the rows' order."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in rows:
        named = row._asdict() | {"openings": " ".join(row.openings), "warnings": " | ".join(row.warnings)}
        named["folder"] = row.folder if row.status == "done" else ""
        writer.writerow([_cell(value) for value in named.values()])
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _cell(value: object) -> object:
    """A text that a spreadsheet would take for a formula gets the apostrophe that keeps it a text."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return "" if value is None else value


def _part(report: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = report.get(name)
    return part if isinstance(part, dict) else {}


def _number(value: object) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
