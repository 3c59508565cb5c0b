"""Pictures of the garment all around it."""
