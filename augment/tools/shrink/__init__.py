"""Writes a folder of smaller images, once, so that every epoch decodes less."""
