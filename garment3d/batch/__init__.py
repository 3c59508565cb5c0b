"""Folders of photos: every photo once, whatever happens in between."""
