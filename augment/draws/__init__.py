"""Randomness: noise keyed by (seed, epoch, sample), and distributions that turn it into parameters."""
