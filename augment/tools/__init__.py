"""Command-line tools: python -m augment bench | doctor | preview. Importing `augment` does not load them."""
