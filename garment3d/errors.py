"""What can go wrong, as types a caller can act on; every message is one sentence with values and a way out.

GarmentError
├── PhotoError          the file or image can't be read as a photo
├── MaskError           a mask that can't be used: empty, full, another size
│   └── UnclearGarment  garment and background can't be told apart without help
├── OutlineError        the outline gives no usable garment: openings, shell
├── MeshError           a mesh that a stage can't take
└── SaveError           a file can't be written; what was there before is untouched
"""


class GarmentError(Exception):
    """Base of all errors the library raises for its inputs; its text is one sentence for the person."""


class PhotoError(GarmentError):
    """The file or image can't be read as a photo."""


class MaskError(GarmentError):
    """A mask that can't be used: empty, covering everything, or of another size than the photo."""


class UnclearGarment(MaskError):
    """Garment and background can't be told apart; a mask, a box or a stronger mask engine is needed."""


class OutlineError(GarmentError):
    """The outline of the mask gives no usable garment."""


class MeshError(GarmentError):
    """A mesh that a stage can't take: no faces, NaN vertices, no height."""


class SaveError(GarmentError):
    """A file can't be written; what was there before is untouched."""
