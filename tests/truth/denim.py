"""What makes trousers jeans: fly, pockets, belt loops, side seams and rivets, drawn as lines on the flat front."""

from __future__ import annotations

import numpy as np

THREAD = np.array([0.80, 0.52, 0.22])
COPPER = np.array([0.66, 0.42, 0.27])


def near(distance: np.ndarray, width_cm: float) -> np.ndarray:
    """[N] 1 where a distance in cm is 0, falling to 0 over `width_cm`."""
    return np.clip(1 - np.abs(distance) / width_cm, 0, 1)


def tailor(rgb: np.ndarray, x: np.ndarray, y: np.ndarray, edge_cm: np.ndarray, front: np.ndarray) -> np.ndarray:
    """[N,3] the cloth with its seams; x across, y up from the waist and `edge_cm` to the nearest edge, all in cm."""
    top = y > -8
    band = top & (edge_cm < 3.6)
    below = ~band
    side = np.abs(x)
    dark = 0.5 * near(edge_cm - 3.6, 0.16) * top
    dark = np.maximum(dark, 0.45 * near(x, 0.18) * below * (y > -26))
    arc = np.hypot((side - 19.5) / 9, (y + 2.5) / 10.5)
    pocket = front & below & (arc < 1.6) & (y > -13)
    dark = np.maximum(dark, 0.5 * near((arc - 1) * 9.5, 0.2) * pocket)
    thread = near(edge_cm - 3.3, 0.12) * top + near(edge_cm - 0.5, 0.12) * top
    thread += (near((arc - 1) * 9.5 - 0.5, 0.1) + near((arc - 1) * 9.5 - 0.95, 0.1)) * pocket
    # The fly's J: straight down beside the middle, then round to it.
    bend = np.hypot(x, np.minimum(y + 15, 0) * 0.8)
    fly = front & below & (x > 0) & (y > -20)
    thread += (near(bend - 3.6, 0.1) + near(bend - 3.15, 0.1)) * fly
    thread += near(edge_cm - 1.6, 0.12) * (y < -60)
    yoke = ~front & below & (y > -16)
    thread += (near(y + 9.5 - 0.18 * side, 0.1) + near(y + 10 - 0.18 * side, 0.1)) * yoke
    rgb = rgb * (1 - dark)[:, None]
    rgb = rgb + (THREAD - rgb) * (0.75 * np.clip(thread, 0, 1))[:, None]
    loop = band & ((np.abs(side - 8.2) < 0.7) | (np.abs(side - 16) < 0.7)) & (edge_cm > 0.3)
    rgb = np.where(loop[:, None], rgb * 1.18, rgb)
    rim = band & ((np.abs(np.abs(side - 8.2) - 0.75) < 0.12) | (np.abs(np.abs(side - 16) - 0.75) < 0.12))
    rgb = np.where(rim[:, None], rgb * 0.55, rgb)
    button = front & (np.hypot(x - 0.6, edge_cm - 1.8) < 0.85) & band
    rivet = front & (np.hypot(side - 11.0, y + 5.6) < 0.42)
    return np.where((button | rivet)[:, None], COPPER * (0.8 + 0.25 * np.sin(3 * x + 2 * y))[:, None], rgb)
