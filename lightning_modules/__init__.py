"""The trainer: Lightning modules that use `augment` in a training run. `augment` never imports this package."""
