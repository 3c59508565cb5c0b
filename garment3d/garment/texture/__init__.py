"""The garment's texture: unwrap, project the photo, fill what no photo sees."""
