"""Layers that combine the samples of a batch."""
