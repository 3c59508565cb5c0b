"""Blender where it is installed, and one garment's package to open in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def blender():
    """Runs Blender without a window on scripts and arguments; its output where it ends well."""
    program = shutil.which("blender")
    if program is None:
        pytest.skip("Blender is not installed: the scene is built and drawn by nobody")

    def run(*arguments, cwd: Path | None = None, code: int = 0, probe: str = "") -> str:
        words = [program, "-b", "--factory-startup", *map(str, arguments)]
        surroundings = {**os.environ, "PROBE": probe, "PWD": str(cwd or ROOT)}  # Blender trusts it more than the system
        done = subprocess.run(
            words, cwd=cwd, env=surroundings, capture_output=True, text=True, encoding="utf-8", timeout=300
        )
        told = done.stdout + done.stderr
        assert done.returncode == code and "Traceback" not in told, told[-3000:]
        return told

    return run
