"""A mesh from anywhere made comparable with the shell: tidied, its outer layer found, aligned with the photo."""

from .align import Alignment, align
from .outer import Outer, outer_layer
from .tidy import Tidied, tidy

__all__ = ["Alignment", "Outer", "Tidied", "align", "outer_layer", "tidy"]
