"""Garment3D, the library: photo ─▶ mask ─▶ shell ─▶ texture ─▶ views ─▶ save."""
