"""Predictions: images in, probabilities and tables out."""
