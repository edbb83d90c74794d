"""Callbacks that change the training from epoch to epoch: the size of images, the strength for each sample."""
