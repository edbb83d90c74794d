"""What a run shows: its log, its speed, augmented samples, and a report at the end."""
