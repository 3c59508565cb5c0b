"""From findings to a verdict and one sentence for a person who has a hundred garments to look at."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .findings import FAULTS, Finding, Quality, Verdict
from .shape import Shape
from .texture import Texture

RANK = {fault: rank for rank, fault in enumerate(FAULTS)}


def ordered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings, the worst first: what rejects, then the garment's, then the views', each by how far it is off."""
    return tuple(sorted(findings, key=lambda f: (f.severity != "fail", f.of_views, RANK[f.fault], -_excess(f))))


def _excess(finding: Finding) -> float:
    return abs(finding.value - finding.limit)


def verdict_of(findings: Sequence[Finding]) -> Verdict:
    """reject where a finding fails, check where one warns, else good."""
    return "reject" if any(f.severity == "fail" for f in findings) else "check" if findings else "good"


def sentence_of(findings: Sequence[Finding], shape: Shape, texture: Texture | None, views: int) -> str:
    """The verdict in one sentence, the worst finding first."""
    if not findings:
        return f"Good: {_praise(shape, texture)}."
    own = [f for f in findings if not f.of_views]
    places = {f.where for f in findings if f.of_views}
    bad = _again(len(places - {"views"}), views)
    if not own:
        return f"Check the views: the garment itself is sound, {bad}. {findings[0].sentence}"
    head = "Reject" if findings[0].severity == "fail" else "Check"
    others = len(own) - 1
    more = [f"{others} more finding{'' if others == 1 else 's'} on the garment"] if others else []
    more += [bad] if places else []
    return f"{head}: {own[0].sentence}" + (f" Also {', '.join(more)}." if more else "")


def _again(bad: int, views: int) -> str:
    if not bad:
        return f"all {views} views are off together"
    return f"{bad} of {views} views {'is' if bad == 1 else 'are'} worth making again"


def _praise(shape: Shape, texture: Texture | None) -> str:
    told = ["the outline agrees with the mask's"]
    if texture is not None and not math.isnan(texture.front.psnr_db):
        told.append("the front with the photo")
    openings = len(shape.loops.found)
    told.append(f"the cloth is one sound sheet with {openings} opening{'' if openings == 1 else 's'}")
    return ", ".join(told)


def with_warnings(quality: Quality, warnings: Sequence[str]) -> Quality:
    """The assessment with a finding for each warning of the run: a garment that is warned of is not simply good."""
    if not warnings:
        return quality
    findings = ordered([*quality.findings, *(Finding("warned", "warn", "run", 1, 0, told) for told in warnings)])
    verdict = verdict_of(findings)
    sentence = quality.sentence if quality.verdict == verdict else f"Check: {warnings[0]}"
    return quality._replace(verdict=verdict, sentence=sentence, findings=findings)
