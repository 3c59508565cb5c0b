"""Files out: meshes, cameras, turntable, report."""
