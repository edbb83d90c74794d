"""Layers that choose among operators or other layers for each sample."""
