"""A mesh from anywhere made comparable with the shell: tidied, its outer layer found, aligned with the photo."""

from .outer import Outer, outer_layer
from .tidy import Tidied, tidy

__all__ = ["Outer", "Tidied", "outer_layer", "tidy"]
