"""Geometry of pixel positions: matrices, warp steps, interpolation and rectangles."""
