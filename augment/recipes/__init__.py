"""Whole pipelines: presets, preprocessing for evaluation, and conversion of recipes of other libraries."""
