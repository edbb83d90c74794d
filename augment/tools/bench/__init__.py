"""Side-by-side measurements of every recipe and implementation, in one run on one machine."""
