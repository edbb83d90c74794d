"""A dress rehearsal of what can go wrong in training: every fault is tried on train.py, and the run is continued.

    python -m tests.rehearsal                      # handwritten digits; about five minutes on two cores
    python -m tests.rehearsal photos cifar10       # with images from your own folders, once for each folder
    python -m tests.rehearsal --only checkpoint    # the faults whose name contains a word

A run is killed, interrupted, starved of disk space, or given a damaged file (`faults`, with `blows` for harm that comes
from inside the process). It must end with the documented exit code and message, and the continued run must end with the
same weights, bit for bit, and the same test results as a run without the fault (`stage`). A table shows the results. If
a promise was broken, the exit code is 1, and the folder with all outputs is kept. `tests/trainer/test_rehearsal.py` is
the short run.
"""
