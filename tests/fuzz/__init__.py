"""Random calls of all exports of `augment`: accepted calls must work, and errors must name the wrong argument.

    python -m tests.fuzz --cases 5000 --seed 7     # cases 7000000 to 7004999, in a worker process
    python -m tests.fuzz --case 7000123            # repeat one of them in this process, with its traceback

A case is a pure function of its number (`tests.fuzz.cases`): a kind of call, a layer with arguments generated from its
signature and its `example` (`tests.fuzz.arguments`), and images. A new layer is therefore fuzzed as soon as it is
exported. Cases run in a worker process (`tests.fuzz.worker`). If a case crashes or hangs the worker, its number is
reported and the next case runs in a new process. `tests/fuzz/test_fuzz.py` is the short run.
"""
