"""Evaluation of a classifier: classes, calibration, and robustness to corruptions."""
