"""The command line of the rehearsal, see `tests.rehearsal`."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.rehearsal import __doc__ as what
from tests.rehearsal.faults import FAULTS
from tests.rehearsal.images import copy_images, write_digits
from tests.rehearsal.stage import BrokenPromiseError, Stage


def rehearse(stage: Stage, names: list[str], table: Table) -> bool:
    """Try faults one after the other, add a row for each to the table, and return whether all promises were kept."""
    kept = True
    for number, name in enumerate(names):
        stage.codes.clear()
        began = time.monotonic()
        try:
            happened, ok = FAULTS[name](stage, stage.folder / f"fault{number}"), True
        except BrokenPromiseError as broken:
            happened, ok = f"promised: {broken}", False
        except Exception as error:  # a missing file, for example, is a broken promise too
            happened, ok = f"{type(error).__name__}: {error}", False
        kept &= ok
        codes = ", ".join(str(128 - code if code < 0 else code) for code in stage.codes)  # as a shell shows them
        happened = " ".join(happened.split())
        table.add_row(name, escape(happened), codes, f"{time.monotonic() - began:.0f}", "yes" if ok else "NO")
        print(f"{name}: {happened}", flush=True)
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(description=what, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, help="folders of images, with or without a folder per class")
    parser.add_argument("--only", default="", help="try only the faults whose name contains this")
    options = parser.parse_args()
    names = [name for name in FAULTS if options.only in name]
    if not names:
        parser.error(f"--only={options.only} is in no name of a fault: {', '.join(FAULTS)}")
    place, kept = Path(tempfile.mkdtemp(prefix="rehearsal-")), True
    for number, folder in enumerate(options.folders or [None]):
        here = place / str(number)
        images = write_digits(here / "images") if folder is None else copy_images(folder, here / "images")
        table = Table("fault", "what happened", "exit codes", "seconds", "kept", title=str(folder or "digits"))
        kept &= rehearse(Stage(here, images), names, table)
        Console(width=None if sys.stdout.isatty() else 180).print(table)
    if kept:
        shutil.rmtree(place)
    else:
        print(f"a promise was broken; the outputs of all runs are in {place}")
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
