"""Whole pipelines: presets, preprocessing for evaluation, recipes of other libraries."""
