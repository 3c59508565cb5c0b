"""What an assessment holds its figures against: one table, so that a limit is changed in one place.

Chosen on the garments of even number in benchmarks/quality.py; those of odd number are there to check them.
"""

from __future__ import annotations

SIZE = 0.02
"""The longest side may be off 1 by this part; the outline of a mask leaves half a per cent."""
PLACE = 0.01
"""The garment may lie this part of its size beside its photo."""
OUTLINE_WARN, OUTLINE_FAIL = 0.97, 0.90
"""IoU with the photo's mask."""
FOLDED = 0.001
"""Share of the faces that may be turned against the cloth around them: some trousers have two at the crotch."""
FLIPPED_FAIL = 0.001
"""Share of the faces wound against the others above which an engine shows holes."""
AGAINST = 0.01
"""Share of the faces with normals stored for their other side."""
CROSSING_WARN, CROSSING_FAIL = 0.001, 0.05
"""Share of the faces that cut through others."""
BAD_EDGES_FAIL = 0.001
"""Non-manifold edges per face."""
MIRRORED_DB = 0.5
"""The mirrored photo may fit the front better by this much before the texture is called mirrored."""
SHOWN_DB = 60.0
"""A front as near to its photo as this shows it, whatever else would: real cloth reaches 55 dB at most."""
WAY_DB = 3.0
"""Another way to lay the texture must fit the photo better by this much."""
SYMMETRIC_DB = 1.0
"""Photo and mirrored photo must differ by more than this to tell which of them the front shows."""
FRONT_DB = 16.0
"""PSNR of the front against the photo; taking the photo's light out of a texture costs a few dB rightly."""
HALO = 0.2
"""Share of the way from the cloth to the background's colour that two thirds of the outline go."""
MASK_BACKGROUND = 0.03
"""Share of the mask that shows background: good masks of real and of drawn photos have 0, wrong ones 0.09 and more."""
MASK_HALO = 0.4
"""As HALO, of the photo inside its mask: good masks reach 0.16, the same 3 px wider have 0.54 and more."""
OVERLAP_WARN, OVERLAP_FAIL = 0.01, 0.1
"""Share of the covered texels that two triangles cover."""
OUTSIDE = 0.001
"""Share of uv coordinates outside the texture."""
DENSITY = 30.0
"""99.9th over 0.1th percentile of texels per area."""
USE = 0.12
"""Share of the atlas that has to be covered."""
VIEW_SHIFT = 0.025
"""A view may lie this part of the garment's size beside its place."""
VIEW_SCALE = 0.04
"""A view may be too large or too small by this part."""
VIEW_IOU = 0.86
"""IoU of a view's outline with the garment's once shift, scale and stretch are undone: from the side a true picture
has 0.90 with a garment whose depth was guessed."""
VIEW_STRETCH, VIEW_DEPTH = 0.06, 0.35
"""A view may be too wide by this part seen from the front, and by so much more from the side: depth is a guess."""
VIEW_LIKE = 0.08
"""The outline from another azimuth must be more like the view's by this much IoU."""
VIEW_DRIFT = 7.0
"""CIE76 ΔE of a view's mean cloth colour."""
VIEWS_CAST = 4.0
"""CIE76 ΔE, lightness apart, that all views together may be off."""
VIEW_HALO = 0.12
"""As HALO, in a view."""
FRONT_BACK = 0.08
"""IoU that the views of front and back may lack against what the garment's own perspective leaves."""
FILE_LENGTH_M = 0.001
"""Metres that a saved file's height may be off."""
