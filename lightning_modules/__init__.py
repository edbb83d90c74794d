"""The trainer: Lightning modules that put `augment` into a training run. Imports augment, never the reverse."""
