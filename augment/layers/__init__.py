"""The layers, one package per kind of augmentation."""
