"""What travels: batches, packed images, pixels and their colours and types. Imports nothing else of `augment`."""
