"""Layers that change the value of each pixel by itself."""
