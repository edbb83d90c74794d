"""Data: batches, packed images, pixels, colours and types. Imports no other package of `augment`."""
