"""The command line of the fuzzer, see `tests.fuzz`."""

import argparse
import sys

import torch

from tests.fuzz import __doc__ as what
from tests.fuzz.cases import KINDS, limit, numbers, run
from tests.fuzz.worker import answers


def main() -> int:
    parser = argparse.ArgumentParser(description=what, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1000, help="number of cases, at most a million")
    parser.add_argument("--seed", type=int, default=0, help="which million of case numbers to use")
    parser.add_argument("--kinds", default=",".join(KINDS), help="kinds of cases to run")
    parser.add_argument("--case", type=int, help="run this case in this process")
    options = parser.parse_args()
    if options.case is not None:
        torch.set_num_threads(1)
        print(run(options.case))
        return 0
    chosen = numbers(options.seed, options.cases, options.kinds.split(","))
    failed = 0
    for number, wrong in answers(chosen, limit):
        if wrong:
            failed += 1
            print(f"case {number}: {wrong}\n", flush=True)
    print(f"{len(chosen)} cases, {failed} failed")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
