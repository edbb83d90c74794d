"""Layers that look at a neighbourhood of each pixel, or at the whole image."""
