"""The command line of the library: python -m augment bench | doctor | preview | ..., or a tool of another package."""

import argparse
import importlib
import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import NoReturn

TOOLS = {
    "bench": ("augment.tools.bench.command", "measure recipes side by side with other libraries"),
    "step": ("augment.tools.step.command", "measure how much augmentation adds to a training step"),
    "measure": ("augment.tools.measure.command", "measure everything in one call, within a limit of minutes"),
    "doctor": ("augment.tools.doctor.command", "find out why augmentation is slow, and how to fix it"),
    "shrink": ("augment.tools.shrink.command", "write a folder of smaller images, so that every epoch decodes less"),
    "playground": ("augment.tools.playground.command", "put a pipeline together in the browser and see what it does"),
    "preview": ("augment.tools.preview.command", "show what a pipeline does to your images"),
}
GROUP = "augment.tools"
"""Entry points of this group are tools of other packages: the name of the tool, and the module with its command."""

USER_ERROR_EXIT = 2


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Report a usage error in one sentence, like every other error."""
        print(f"error: {message} ({self.prog} --help lists the options).", file=sys.stderr)
        sys.exit(USER_ERROR_EXIT)


def installed_tools() -> dict[str, tuple[str, str]]:
    """Module and purpose of each tool of other packages, by name."""
    found = metadata.entry_points(group=GROUP)
    return {entry.name: (entry.value, f"a tool of {entry.value.partition('.')[0]}") for entry in found}


def parser_for(
    given: Sequence[str],
    program: str = "python -m augment",
    tools: Mapping[str, tuple[str, str]] | None = None,
) -> argparse.ArgumentParser:
    """Return the parser of a command; of the tools, it imports only the one that the command names.

    Args:
        given: words of the command line.
        program: how the user calls the tools, for messages.
        tools: module and purpose of each tool, by name; None means the tools of this library and of installed packages.
    """
    tools = installed_tools() | TOOLS if tools is None else tools
    parser = _Parser(program, description=f"Tools of {program.rpartition(' ')[2]}.")
    names = parser.add_subparsers(dest="tool", required=True, metavar="{" + ",".join(tools) + "}", parser_class=_Parser)
    asked = next((word for word in given if word in tools), None)
    for name, (module, about) in tools.items():
        tool = names.add_parser(name, help=about, description=about.capitalize() + ".")
        if name == asked:
            importlib.import_module(module).add_arguments(tool)
    return parser


def main(
    given: Sequence[str] | None = None,
    program: str = "python -m augment",
    tools: Mapping[str, tuple[str, str]] | None = None,
) -> None:
    """Run the tool that the words of a command line name; see `parser_for`. None reads the words from there."""
    given = list(sys.argv[1:] if given is None else given)
    tools = installed_tools() | TOOLS if tools is None else tools
    arguments = parser_for(given, program, tools).parse_args(given)
    # the tools report missing kernels themselves
    warnings.filterwarnings("ignore", ".*CPU kernels were not compiled", RuntimeWarning)
    from augment.tools.errors import ToolError

    try:
        importlib.import_module(tools[arguments.tool][0]).run(arguments, given[1:])
    except ToolError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(USER_ERROR_EXIT)


if __name__ == "__main__":
    main()
