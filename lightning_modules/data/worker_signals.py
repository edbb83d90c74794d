"""Signals to the workers of a data loader: the main process still needs their batches to finish its step and save."""

from __future__ import annotations

import os
import signal
from threading import Thread


def survive_signals(worker: int) -> None:
    """Let a worker of a data loader live until its main process ends it.

    A terminal sends Ctrl-C to the workers too, and SLURM sends them SIGUSR1 and SIGTERM. The main process ends a worker
    with SIGTERM as well, so where the system tells who sent it, that one is obeyed; elsewhere, as on macOS, all are.

    Args:
        worker: number of the worker, which torch passes.
    """
    for name in ("SIGINT", "SIGUSR1", "SIGUSR2"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # later threads of the worker block it, too
        Thread(target=_end_when_the_main_process_says_so, daemon=True).start()


def _end_when_the_main_process_says_so() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
