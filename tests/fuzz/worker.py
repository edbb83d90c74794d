"""Runs cases in a separate process: `python -m tests.fuzz.worker` reads numbers and answers each with one line."""

import faulthandler
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import Empty, Queue

import torch

MEMORY = 12 << 30
"""Bytes that a worker may allocate."""


COMMAND = (sys.executable, "-m", "tests.fuzz.worker")


def answers(
    numbers: Iterable[int], limit: Callable[[int], float], command: Sequence[str] = COMMAND
) -> Iterator[tuple[int, str]]:
    """Yield each number with its error, or an empty text; `limit` returns the time limit of a case in seconds."""
    worker = None
    for number in numbers:
        if worker is None or worker.process.poll() is not None:
            worker = Worker(command)
        yield number, worker.answer(number, limit(number))
    if worker is not None:
        worker.process.kill()


class Worker:
    """A process that runs cases until one of them ends it."""

    def __init__(self, command: Sequence[str]) -> None:
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        self.process = subprocess.Popen(command, text=True, bufsize=1, **pipes)
        self.lines: Queue[str] = Queue()
        self.errors: list[str] = []
        threading.Thread(
            target=lambda: [*map(self.lines.put, self.process.stdout), self.lines.put("")], daemon=True
        ).start()
        self.listener = threading.Thread(target=lambda: self.errors.extend(self.process.stderr), daemon=True)
        self.listener.start()
        self.lines.get()  # wait until it has imported torch

    def answer(self, number: int, limit: float) -> str:
        self.process.stdin.write(f"{number}\n")
        try:
            line = self.lines.get(timeout=limit)
        except Empty:
            self.process.kill()
            self.process.wait()
            return f"took more than {limit:g} s"
        if not line:
            code = self.process.wait()
            self.listener.join(10)
            return f"ended the process ({code}): " + "".join(self.errors[-40:])
        return line.strip().removeprefix("ok").replace("\\n", "\n")


def main() -> None:
    import resource  # not available on every system

    from tests.fuzz.cases import run

    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    torch.set_num_threads(1)
    answer_to, sys.stdout = sys.stdout, sys.stderr  # output of a case must not mix with the answers
    print("ready", file=answer_to, flush=True)
    for line in sys.stdin:
        try:
            run(int(line))
            print("ok", file=answer_to, flush=True)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            called = " ".join(getattr(error, "__notes__", ()))
            text = f"{type(error).__name__}: {error} [{where.filename}:{where.lineno}] {called}"
            print(text.replace("\n", "\\n"), file=answer_to, flush=True)


if __name__ == "__main__":
    main()
