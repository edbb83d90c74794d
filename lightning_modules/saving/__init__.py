"""Checkpoints and other files that are whole or not there at all."""
