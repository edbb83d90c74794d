"""Regret: by how much an augmentation misses the best fixed one, on ten tasks whose right answers differ."""
