"""Ten small tasks with known right augmentations, made on the spot from data that need no download."""
