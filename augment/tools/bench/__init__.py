"""Side-by-side measurements: recipe x implementation, in one run on one machine."""
