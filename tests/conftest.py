"""Set before any test imports torch: its waiting threads sleep instead of spinning, or a busy machine crawls."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
