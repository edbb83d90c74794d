"""Layers that choose among layers for each sample."""
