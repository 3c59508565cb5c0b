"""What the classes of the clothes parsers mean: which are garments, which are parts of one, what people call them.

Three label sets are in use: 18 labels (ATR), Fashionpedia's 47, and those with a body beside them (57, "human").
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import PromptError

GARMENTS = {
    "upper": ("upper clothes", "shirt, blouse", "top, t shirt, sweatshirt", "sweater", "vest"),
    "coat": ("coat", "jacket", "cardigan", "cape"),
    "dress": ("dress", "jumpsuit"),
    "skirt": ("skirt",),
    "pants": ("pants", "shorts"),
    "scarf": ("scarf",),
}
"""Garments a person chooses from, and the classes of each: those in one line are easily taken for one another."""

_CALLED = {
    "upper": tuple("upper body,top,shirt,blouse,tee,t shirt,tshirt,longsleeve,hoodie,pullover,tank top".split(",")),
    "coat": ("coat/jacket", "outerwear", "blazer", "suit jacket", "parka"),
    "dress": ("gown", "one piece", "romper", "full body"),
    "skirt": ("skirts",),
    "pants": ("trousers", "jeans", "leggings", "lower body", "pant", "short"),
    "scarf": ("shawl", "scarves"),
}
_FALLS_BACK = {"coat": "upper", "upper": "coat"}
"""ATR has no coat, and calls one upper clothes: who asks for either means what is worn above the waist."""

_ABOVE = ("upper", "coat", "dress")
_BELOW = ("coat", "dress", "skirt", "pants")
PARTS = {
    **dict.fromkeys(("sleeve", "collar", "lapel", "epaulette", "hood", "neckline"), _ABOVE),
    **dict.fromkeys(("belt", "buckle"), _BELOW),
    **dict.fromkeys(("pocket", "zipper", "applique", "bead", "bow", "flower"), tuple(GARMENTS)),
    **dict.fromkeys(("fringe", "ribbon", "rivet", "ruffle", "sequin", "tassel"), tuple(GARMENTS)),
}
"""Classes that are a part of a garment beside them, and of which garments they can be."""


def plain(name: str) -> str:
    """A class's name as it is compared: small letters, no hyphens or underscores."""
    return " ".join(name.casefold().replace("-", " ").replace("_", " ").split())


def garment_of(label: str) -> str:
    """The garment a parser's class belongs to; "" for bodies, bags, parts and the background."""
    return next((garment for garment, labels in GARMENTS.items() if plain(label) in labels), "")


def choices(labels: Sequence[str]) -> tuple[str, ...]:
    """The garments that a parser with these classes can tell apart, in a fixed order; () for no clothes parser."""
    there = {garment_of(label) for label in labels}
    return tuple(garment for garment in GARMENTS if garment in there)


def meant(word: str, labels: Sequence[str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Indices of the classes a word means, and of those meant where the first are not in the photo.

    A word is a garment, a usual name of one, or any class of the parser; any other raises PromptError.
    """
    garment = _garment_called(plain(word))
    if garment:
        own, further = classes_of(garment, labels), classes_of(_FALLS_BACK.get(garment, ""), labels)
        if own:
            return own, further if garment == "upper" else ()
        if further:
            return further, ()
    same = tuple(i for i, label in enumerate(labels) if plain(label) == plain(word) and not background(label))
    if same:
        return same, ()
    known = ", ".join(choices(labels))
    raise PromptError(f'The parser has no class "{word}": choose from {known}, or "largest".')


def classes_of(garment: str, labels: Sequence[str]) -> tuple[int, ...]:
    """Indices of the classes that are that garment; () for ""."""
    return tuple(i for i, label in enumerate(labels) if garment and garment_of(label) == garment)


def background(label: str) -> bool:
    """Whether a class is what is neither clothes nor body."""
    return plain(label) in ("background", "everything else", "unlabelled", "unlabeled")


def _garment_called(word: str) -> str:
    if word in GARMENTS:
        return word
    named = (g for g in GARMENTS if word in _CALLED[g] or any(word in label.split(", ") for label in GARMENTS[g]))
    return next(named, "")
