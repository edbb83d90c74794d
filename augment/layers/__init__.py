"""The layers, one small file for each family."""
