"""Where a pixel looks: matrices, motions, interpolation, rectangles."""
