"""Files of trained classifiers for other programs: preprocessing and network in one, with the names of the classes."""
