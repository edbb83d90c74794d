"""Command-line tools: python -m augment bench | step | doctor | preview. Importing `augment` does not load them."""
