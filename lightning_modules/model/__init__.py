"""The parts of a classifier: backbones, losses, metrics, schedules, parameter groups, sharding."""
