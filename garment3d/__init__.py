"""Garment3D, the library: one front photo of a garment in, a textured, open 3D garment out.

 photo ─▶ mask ─▶ shell ─▶ texture ─▶ views ─▶ save
 rgb      soft    mesh     mesh+uv    Views    GLB OBJ PLY STL, cameras, turntable, report
"""

__version__ = "0.1.0"
