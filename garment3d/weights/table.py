"""The table of the official files, with what each may be used for: a person reads it before choosing a model.

Hashes and exact sizes stand here only where they are known from two sources; the hub's own are checked besides.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..errors import MissingWeights


class Part(NamedTuple):
    """One file of a model."""

    file: str
    """Its name, also its path inside the repository on the Hugging Face hub."""
    url: str = ""
    """Where it lies if not on the hub."""
    bytes: int | None = None
    sha256: str | None = None
    optional: bool = False
    """Whether the model can be used without it."""


@dataclass(frozen=True)
class WeightFile:
    """An official model: one file, or a folder of several."""

    name: str
    title: str
    model: str
    """ "triposr", "zero123", "sam" or "clothes": the engine that reads it."""
    repo: str
    """On the Hugging Face hub; "" for files that lie elsewhere."""
    files: tuple[Part, ...]
    gigabytes: float
    """About; what the official page says."""
    licence: str
    terms: str
    """One sentence on what it may be used for."""
    commercial: bool | None
    """None where that depends or is not said; `terms` has the details."""
    folder: str
    """ComfyUI's key of the folder it belongs into."""
    subfolder: str = ""

    @property
    def is_folder(self) -> bool:
        """Whether the model is a folder of files and not one file."""
        return len(self.files) > 1


_FREE = "Any use, commercial too."
_STABLE_DIFFUSION = "It descends from Stable Diffusion 1, whose rules on harmful use may apply as well."
_NVIDIA = "it descends from NVIDIA's SegFormer, whose licence allows research and evaluation only"
_SAM = "https://dl.fbaipublicfiles.com/segment_anything/"


def _sam(size: str, file: str, length: int, sha256: str) -> WeightFile:
    parts = (Part(file, _SAM + file, length, sha256),)
    title = f"SAM ViT-{size.upper()}"
    return WeightFile(f"sam-vit-{size}", title, "sam", "", parts, length / 1e9, "Apache-2.0", _FREE, True, "sams")


def _zero123(
    name: str, title: str, repo: str, part: Part, gigabytes: float, rights: tuple[str, str, bool | None]
) -> WeightFile:
    licence, terms, commercial = rights
    return WeightFile(
        name, title, "zero123", repo, (part,), gigabytes, licence, terms, commercial, "checkpoints", "zero123"
    )


def _clothes(name: str, title: str, repo: str, gigabytes: float, licence: str, terms: str) -> WeightFile:
    parts = (Part("config.json"), Part("preprocessor_config.json", optional=True), Part("model.safetensors"))
    subfolder = repo.rpartition("/")[2]
    return WeightFile(name, title, "clothes", repo, parts, gigabytes, licence, terms, False, "garment3d", subfolder)


_MIT = ("MIT", f"{_FREE} {_STABLE_DIFFUSION}", True)
OFFICIAL: tuple[WeightFile, ...] = (
    WeightFile(
        "triposr",
        "TripoSR",
        "triposr",
        "stabilityai/TripoSR",
        (
            Part(
                "model.ckpt",
                bytes=1_677_246_742,
                sha256="429e2c6b22a0923967459de24d67f05962b235f79cde6b032aa7ed2ffcd970ee",
            ),
        ),
        1.68,
        "MIT",
        _FREE,
        True,
        "garment3d",
        "TripoSR",
    ),
    _zero123(
        "zero123-xl",
        "Zero123-XL",
        "",
        Part("zero123-xl.ckpt", "https://zero123.cs.columbia.edu/assets/zero123-xl.ckpt"),
        15.5,
        (
            "MIT repository",
            "Its authors' repository is MIT and states no licence for this file by itself.",
            None,
        ),
    ),
    _zero123("zero123-105000", "Zero123 (105000 steps)", "cvlab/zero123-weights", Part("105000.ckpt"), 15.5, _MIT),
    _zero123("zero123-165000", "Zero123 (165000 steps)", "cvlab/zero123-weights", Part("165000.ckpt"), 15.5, _MIT),
    _zero123(
        "stable-zero123c",
        "Stable Zero123C",
        "stabilityai/stable-zero123",
        Part("stable_zero123_c.ckpt"),
        8.58,
        ("Stability Community License", "Commercial use only below US$ 1 million of revenue a year.", None),
    ),
    _zero123(
        "stable-zero123",
        "Stable Zero123",
        "stabilityai/stable-zero123",
        Part("stable_zero123.ckpt"),
        8.58,
        ("Stability research licence", "Non-commercial research only.", False),
    ),
    _sam(
        "h", "sam_vit_h_4b8939.pth", 2_564_550_879, "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e"
    ),
    _sam(
        "l", "sam_vit_l_0b3195.pth", 1_249_524_607, "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622"
    ),
    _sam("b", "sam_vit_b_01ec64.pth", 375_042_383, "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912"),
    _clothes(
        "clothes-b2",
        "Segformer B2 clothes",
        "mattmdjaga/segformer_b2_clothes",
        0.109,
        "NVIDIA SegFormer licence",
        f"Non-commercial: {_NVIDIA}, though the page is tagged MIT.",
    ),
    _clothes(
        "clothes-b3",
        "Segformer B3 clothes",
        "sayeed99/segformer_b3_clothes",
        0.189,
        "NVIDIA SegFormer licence",
        f"Non-commercial: {_NVIDIA}.",
    ),
    _clothes(
        "clothes-b3-fashion",
        "Segformer B3 fashion",
        "sayeed99/segformer-b3-fashion",
        0.189,
        "NVIDIA SegFormer licence",
        f"Non-commercial: {_NVIDIA}.",
    ),
)
"""Per model the one to take first comes first, but SAM's sizes and their licences stand side by side."""


def official(name: str) -> WeightFile:
    """The entry of that name; another name raises MissingWeights with the names there are."""
    found = next((entry for entry in OFFICIAL if entry.name == name.lower()), None)
    if found is None:
        raise MissingWeights(f"{name} is no official file; there are {', '.join(entry.name for entry in OFFICIAL)}.")
    return found


def menu_line(entry: WeightFile) -> str:
    """What a loader's menu calls the download: "download TripoSR (1.7 GB, MIT)", with "non-commercial" where it is."""
    limits = ", non-commercial" if entry.commercial is False else ""
    return f"download {entry.title} ({size_text(entry.gigabytes * 1e9)}, {entry.licence}{limits})"


def size_text(size: float) -> str:
    """ "1.7 GB", or "375 MB" and "12 kB" for less."""
    if size >= 1e9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def place(entry: WeightFile, models_dir: Path) -> Path:
    """The folder in a ComfyUI models folder into which the entry's files belong."""
    return models_dir / entry.folder / entry.subfolder
