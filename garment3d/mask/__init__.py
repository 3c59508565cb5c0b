"""The garment mask: where the garment is in the photo."""
