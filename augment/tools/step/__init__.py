"""Measures how much augmentation adds to a training step."""
