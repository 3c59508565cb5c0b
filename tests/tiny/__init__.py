"""Small checkpoints with random weights in the official layouts: the same keys and files, a thousandth of the size."""
