"""Data modules whose images lie inside of larger files."""
