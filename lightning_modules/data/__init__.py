"""From files or arrays to batches whose samples have numbers."""
