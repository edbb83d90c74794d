"""Runs tests with the kernels for a CPU compiled under AddressSanitizer and UndefinedBehaviorSanitizer.

    python tests/kernels/sanitize.py                        the kernels' own tests
    python tests/kernels/sanitize.py tests/fuzz -k packed   whatever pytest is given

What a kernel reads or writes beyond its memory, or computes without a defined result, ends the run with the place in
the C++ sources and an exit status that is not 0. The installed kernels stay as they are: a copy of the repository is
compiled in a temporary folder. Needs g++ with its sanitizers, as on Debian and Ubuntu.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

ROOT = Path(__file__).parents[2]
KERNEL_TESTS = (
    "tests/kernels/test_cpu.py",
    "tests/kernels/test_cpu_levels.py",
    "tests/kernels/test_cpu_jpeg.py",
    "tests/kernels/test_cpu_overlay.py",
    "tests/kernels/test_cpu_warping.py",
    "tests/data/test_packed.py",
    "tests/data/test_packed_checks.py",
    "tests/kernels/test_kernel_boundaries.py",
    "tests/layers/test_degenerate_images.py",
)
SANITIZERS = "-fsanitize=address,undefined,float-cast-overflow"
FLAGS = f"{SANITIZERS} -fno-sanitize-recover=all -fno-omit-frame-pointer -g"
SETTINGS = {
    "ASAN_OPTIONS": "detect_leaks=0",  # Python keeps memory until it ends
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "OMP_NUM_THREADS": "2",
}


def runtime() -> str:
    """What must be loaded before Python's own memory is: the sanitizers, and C++, whose exceptions these look at."""
    if shutil.which("g++") is None:
        sys.exit("tests/kernels/sanitize.py needs g++: apt-get install g++")
    paths = []
    for name in ("libasan.so", "libstdc++.so"):
        found = subprocess.run(["g++", f"-print-file-name={name}"], check=True, capture_output=True, text=True)
        paths.append(Path(found.stdout.strip()))
    if not all(path.is_absolute() for path in paths):
        sys.exit("tests/kernels/sanitize.py needs the sanitizers of g++: apt-get install libasan8 libubsan1")
    return " ".join(str(path.resolve()) for path in paths)


def compiled(folder: Path) -> None:
    """A copy of the repository with kernels that watch themselves."""
    ignored = shutil.ignore_patterns(".*", "*.so", "build", "outputs", "multirun", "notebooks", "__pycache__")
    shutil.copytree(ROOT, folder, ignore=ignored)
    command = [sys.executable, "-c", "from setuptools import setup; setup()", "build_ext", "--inplace"]
    environment = os.environ | {"CFLAGS": FLAGS, "CXXFLAGS": FLAGS, "LDFLAGS": SANITIZERS}
    made = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if not any((folder / "augment/kernels/cpu").glob(f"_kernels*{suffix}") for suffix in EXTENSION_SUFFIXES):
        sys.exit(f"tests/kernels/sanitize.py could not compile the kernels:\n{made.stdout}")


def main(arguments: list[str]) -> int:
    preloaded = runtime()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "copy"
        compiled(folder)
        environment = os.environ | SETTINGS | {"LD_PRELOAD": preloaded, "PYTHONPATH": str(folder)}
        command = [sys.executable, "-m", "pytest", "-q", "--capture=sys", *(arguments or KERNEL_TESTS)]
        return subprocess.run(command, cwd=folder, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
