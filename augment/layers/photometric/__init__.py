"""Layers that change pixel values, each pixel independently."""
