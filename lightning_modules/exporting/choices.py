"""What can be chosen for an exported file."""

SUFFIXES = {"torch": ".pt2", "onnx": ".onnx", "aoti": ".pt2", "safetensors": ".safetensors"}
"""What the name of a file of each format ends with."""

OUTPUTS = ("logits", "probabilities")
"""What a program returns."""

LAYOUTS = ("bchw", "bhwc")
"""Axes of its images."""
