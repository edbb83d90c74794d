"""Layers with output pixels that depend on a neighbourhood or on the whole image."""
