"""The doctor finds what makes a pipeline slow or wrong."""

import functools
import json
import time

import pytest
import torch
import torch._dynamo

import augment as A
from augment.kernels.cpu import library
from augment.tools.doctor import diagnose
from augment.tools.errors import ToolError
from tests.tools.commands import run
from tests.unchecked import import_unchecked

plain = import_unchecked("tests.speed_recipes")  # run-time type checks cannot be compiled


def loader(count=3, size=(16, 16), dtype=torch.uint8, planar=False):
    for i in range(count):
        images = torch.randint(0, 256, (4, *size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
        images = images if dtype == torch.uint8 else images.to(dtype) / 255
        yield (images.contiguous() if planar else images), torch.full((4,), i)


def test_doctor_is_content_with_a_good_pipeline():
    report = diagnose(A.Pipeline(A.RandomHorizontalFlip(), A.ColorJitter(0.2)), loader(), device="cpu")
    assert not report.topics() - {"workers"}
    assert "sync" not in report.topics("note")


def test_doctor_misses_the_kernels(monkeypatch):
    monkeypatch.setattr(library, "AVAILABLE", False)
    report = diagnose(A.Pipeline(A.RandomHorizontalFlip()), loader(), device="cpu")
    assert any("install g++" in finding.remedy for finding in report.findings)


@pytest.mark.parametrize(
    ("options", "words"), [({"dtype": torch.float32}, "4 times the bytes"), ({"planar": True}, "planar order")]
)
def test_doctor_finds_what_is_wrong_with_the_batches(options, words):
    report = diagnose(A.Pipeline(A.RandomHorizontalFlip()), loader(**options), device="cpu")
    (finding,) = [f for f in report.findings if f.topic == "batch"]
    assert words in finding.what
    assert f"[slow] batch: {finding.what}" in str(report)


class Reader(plain.A.ImageOp):
    def __init__(self, read):
        super().__init__()
        self.read = read

    def image(self, image, params):
        return image * 1.0 if self.read(image.mean()) else image


@pytest.mark.parametrize("read", [lambda t: t.item() > 0, lambda t: bool(t > 0), lambda t: t.tolist() > 0])
def test_doctor_finds_where_the_host_reads_values(read):
    report = plain.diagnose(plain.A.Pipeline(plain.A.RandomHorizontalFlip(), Reader(read)), loader(), device="cpu")
    (finding,) = [f for f in report.findings if f.topic == "sync"]
    assert "Reader, " in finding.what
    assert "test_doctor.py:" in finding.what


def test_doctor_finds_recompilation(monkeypatch):
    torch._dynamo.reset()
    compile = torch.compile

    @functools.wraps(compile)
    def quick(function, mode=None, **options):
        return compile(function, backend="eager", **options)

    monkeypatch.setattr(torch, "compile", quick)
    sizes = [*loader(2), *loader(2, (20, 18)), *loader(2, (24, 31))]
    report = plain.diagnose(plain.A.Pipeline(plain.A.RandomHorizontalFlip(), compile=True), sizes, "cpu")
    (finding,) = [f for f in report.findings if f.topic == "compile"]
    assert "of 5 batches after the first were compiled again" in finding.what
    assert any("different image sizes" in f.what for f in report.findings)


def test_doctor_finds_slow_loading():
    def slow():
        for delivered in loader():
            time.sleep(0.3)
            yield delivered

    assert "workers" in diagnose(A.Pipeline(A.RandomHorizontalFlip()), slow(), device="cpu").topics()


def test_doctor_says_what_it_cannot_read():
    with pytest.raises(ToolError, match="the loader delivers str; the doctor understands"):
        diagnose(A.Pipeline(), ["a", "b"])
    with pytest.raises(ToolError, match="the loader delivers 1 batches"):
        diagnose(A.Pipeline(A.RandomHorizontalFlip()), loader(1))


def test_doctor_prints(capsys):
    run("doctor", "RandomHorizontalFlip(), RandomRotation(10)", "--batch", 4, "--size", 16, "--device", "cpu", "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["figures"]["device"] == "cpu"
    assert {"topic", "level", "what", "remedy"} == set(report["findings"][0])
