"""Surfaces from one picture: the TripoSR network and the extraction of meshes from its scenes."""
