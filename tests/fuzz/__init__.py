"""Random calls of everything that `augment` exports: what is accepted works, what is refused is named.

    python -m tests.fuzz --cases 5000 --seed 7     # cases 7000000 to 7004999, in a process of their own
    python -m tests.fuzz --case 7000123            # one of them again, in this process, with its traceback

A case is a pure function of its number (`tests.fuzz.cases`): a kind of call, a layer with arguments made up from its
signature and its `example` (`tests.fuzz.arguments`), and images, so that a new layer is fuzzed by being exported. Cases
run in a worker process (`tests.fuzz.worker`): one that crashes or hangs it is reported by its number, and the next one
goes on in a new process. `tests/fuzz/test_fuzz.py` is the short run.
"""
