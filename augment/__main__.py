"""The command line of the library: python -m augment bench | step | doctor | shrink | preview."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

TOOLS = {
    "bench": ("augment.tools.bench.command", "measure recipes side by side with other libraries"),
    "step": ("augment.tools.step.command", "measure how much augmentation adds to a training step"),
    "doctor": ("augment.tools.doctor.command", "find out why augmentation is slow, and how to fix it"),
    "shrink": ("augment.tools.shrink.command", "write a folder of smaller images, so that every epoch decodes less"),
    "preview": ("augment.tools.preview.command", "show what a pipeline does to your images"),
}
USER_ERROR_EXIT = 2


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Report a usage error in one sentence, like every other error."""
        print(f"error: {message} ({self.prog} --help lists the options).", file=sys.stderr)
        sys.exit(USER_ERROR_EXIT)


def main(given: Sequence[str] | None = None) -> None:
    given = list(sys.argv[1:] if given is None else given)
    parser = _Parser("python -m augment", description="Tools of the augment library.")
    names = parser.add_subparsers(dest="tool", required=True, metavar="{" + ",".join(TOOLS) + "}", parser_class=_Parser)
    asked = next((word for word in given if word in TOOLS), None)
    for name, (module, about) in TOOLS.items():
        tool = names.add_parser(name, help=about, description=about.capitalize() + ".")
        if name == asked:  # do not import the other tools
            importlib.import_module(module).add_arguments(tool)
    arguments = parser.parse_args(given)
    from augment.tools.errors import ToolError

    try:
        importlib.import_module(TOOLS[arguments.tool][0]).run(arguments, given[1:])
    except ToolError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USER_ERROR_EXIT)


if __name__ == "__main__":
    main()
