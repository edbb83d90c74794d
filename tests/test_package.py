"""The wheel holds what a checkout holds, and works without one: it trains, previews and explains itself."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from PIL import Image

import augment as A

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOURCES = ("augment", "lightning_modules", "conf", "train.py", "pyproject.toml", "README.md", "LICENSE")


def packages() -> set[str]:
    files = [file for name in ("augment", "lightning_modules") for file in (ROOT / name).rglob("__init__.py")]
    return {".".join(file.relative_to(ROOT).parent.parts) for file in files} | {"augment_inside"}


def test_every_package_is_listed():
    listed = PROJECT["tool"]["setuptools"]["packages"]
    assert set(listed) == packages(), "packages of pyproject.toml must be:\n" + "\n".join(sorted(packages()))


def test_the_version_is_the_same_everywhere():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == A.__version__
    assert f"\n## {A.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_container_copies_what_the_installation_needs():
    copied = re.findall(r"^COPY (?!--)(.*) \S+$", (ROOT / "docs/docker/Dockerfile").read_text(), re.MULTILINE)
    assert {name for line in copied for name in line.split()} >= {*SOURCES, "constraints.txt"}


def test_every_file_lies_in_a_package():
    for name in ("augment", "lightning_modules"):
        assert all((file.parent / "__init__.py").is_file() for file in (ROOT / name).rglob("*.py"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the source distribution, and from it the wheel, without compiling the kernels."""
    folder = tmp_path_factory.mktemp("package")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        else:
            shutil.copy(ROOT / name, folder / "source" / name)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(folder / "source")]
    run(command, folder, CXX="false", CC="false")
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Unpack the wheel, as pip does."""
    folder = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def run(command, cwd, **environment):
    """Run a command without the checkout in sight, and return what it prints."""
    kept = {"PATH": "/usr/bin:/bin", "HOME": str(cwd.parent), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        command, cwd=cwd, env=kept | environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    return ended.stdout + ended.stderr


def test_the_wheel_holds_every_module_and_every_setting(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {
        f.relative_to(ROOT).as_posix() for n in ("augment", "lightning_modules") for f in (ROOT / n).rglob("*.py")
    }
    settings = {f"augment_inside/{f.relative_to(ROOT).as_posix()}" for f in (ROOT / "conf").rglob("*.yaml")}
    expected = modules | settings | {"augment_inside/train.py", "augment/py.typed"}
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert f"augment_inside-{A.__version__}-" in wheel.name


def test_the_source_distribution_can_compile_the_kernels(wheel):
    (source,) = wheel.parent.glob("*.tar.gz")
    shutil.unpack_archive(source, wheel.parent / "unpacked", filter="data")
    (unpacked,) = (wheel.parent / "unpacked").iterdir()
    parts = {file.name for file in (ROOT / "augment" / "kernels" / "cpu").iterdir() if file.suffix in (".cpp", ".h")}
    assert parts <= {file.name for file in (unpacked / "augment" / "kernels" / "cpu").iterdir()}


def test_it_trains_from_an_empty_folder(installed, tmp_path):
    scripts = next(installed.glob("*.dist-info/entry_points.txt")).read_text()
    assert "augment = augment.__main__:main" in scripts
    module, function = re.search(r"augment-train = (\S+):(\w+)", scripts).groups()
    script = tmp_path / "augment-train"  # as pip writes it
    script.write_text(f"import sys\nfrom {module} import {function}\nsys.exit({function}())\n")
    work = tmp_path / "empty"
    work.mkdir()
    start = [sys.executable, str(script)]
    assert "augment: augmix" in run([*start, "--help"], work, PYTHONPATH=str(installed))
    settings = ["experiment=smoke", "trainer=cpu", "augment=imagenet", "trainer.enable_progress_bar=false"]
    run([*start, *settings, "hydra.run.dir=outputs/first"], work, PYTHONPATH=str(installed))
    assert (work / "outputs/first/checkpoints/best.ckpt").is_file()
    assert {path.name for path in work.iterdir()} == {"outputs"}


def test_it_previews_from_an_empty_folder(installed, tmp_path):
    Image.new("RGB", (40, 30), (200, 30, 30)).save(tmp_path / "photo.png")
    tool = [sys.executable, "-m", "augment", "preview", "light", "photo.png", "sheet.png", "--grid", "1x2"]
    said = run(tool, tmp_path, PYTHONPATH=str(installed))
    assert Image.open(tmp_path / "sheet.png").width > 2 * 40
    assert said.count("CPU kernels were not compiled") == 1
