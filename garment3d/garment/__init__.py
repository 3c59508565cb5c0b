"""The garment itself: its openings, its open shell and its texture."""
