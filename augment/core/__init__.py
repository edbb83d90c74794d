"""Core: the base class of layers, the kinds of layer, mixes, pipelines and stages for other libraries."""
