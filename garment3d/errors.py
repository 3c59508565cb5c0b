"""What can go wrong, as types a caller can act on; every message is one sentence with values and a way out.

GarmentError
├── PhotoError          the file or image can't be read as a photo
├── MaskError           a mask that can't be used: empty, full, another size
│   ├── UnclearGarment  garment and background can't be told apart without help
│   └── PromptError     points or a box that can't be meant
├── OutlineError        the outline gives no usable garment: openings, shell
├── MeshError           a mesh that a stage can't take
│   └── SurfaceError    a scene gives no surface at that threshold
├── ViewsError          views that a stage can't take: empty, or of something else
├── WeightsError        a model file that can't be used: damaged, another model, unsafe
│   ├── MissingWeights  no file of that model is on disk
│   └── DownloadError   a download that did not arrive whole
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


class PromptError(MaskError):
    """Points, a box or classes that can't be meant: outside the photo, unreadable, unknown."""


class OutlineError(GarmentError):
    """The outline of the mask gives no usable garment."""


class MeshError(GarmentError):
    """A mesh that a stage can't take: no faces, NaN vertices, no height."""


class SurfaceError(MeshError):
    """A scene gives no surface at that threshold."""


class ViewsError(GarmentError):
    """Views that a stage can't take: none, empty ones, or pictures of something else."""


class WeightsError(GarmentError):
    """A model file that can't be used: damaged, of another model, or unsafe to read; nothing in it was run."""


class MissingWeights(WeightsError):
    """No file of that model is on disk."""


class DownloadError(WeightsError):
    """A download that did not arrive whole; what arrived is kept and a second try goes on from there."""


class SaveError(GarmentError):
    """A file can't be written; what was there before is untouched."""
