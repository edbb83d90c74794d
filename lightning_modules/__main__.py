"""The command line of the trainer beside train.py: python -m lightning_modules export."""

from augment.__main__ import main

TOOLS = {
    "export": ("lightning_modules.exporting.command", "write the classifier of a checkpoint as a program or as weights")
}

if __name__ == "__main__":
    main(program="python -m lightning_modules", tools=TOOLS)
