"""What happens beside the steps of training: checkpoints, signals, averages, finders, logs."""
