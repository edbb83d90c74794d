"""The doctor finds what makes a pipeline slow or wrong."""

import functools
import json
import re
import time

import pytest
import torch
import torch._dynamo

import augment as A
from augment.kernels.cpu import library
from augment.tools.doctor import Report, diagnose
from augment.tools.doctor.stages import Stages, check_stages
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

    pipeline = A.Pipeline(A.RandomHorizontalFlip())
    pipeline(next(iter(loader()))[0])  # the first call may be as slow as the loader
    assert "workers" in diagnose(pipeline, slow(), device="cpu").topics()


class Slow(torch.utils.data.Dataset):
    """Twenty images that take 20 ms each."""

    def __len__(self):
        return 20

    def __getitem__(self, number):
        time.sleep(0.02)
        return torch.zeros(3, 8, 8, dtype=torch.uint8)


class SlowBatches(Slow):
    """The same, if a batch is read at once."""

    def __getitem__(self, number):
        raise NotImplementedError

    def __getitems__(self, numbers):
        return [Slow.__getitem__(self, number) for number in numbers]


def staged(stages, loader=None):
    report = Report()
    check_stages(report, stages, loader, 5)
    (finding,) = report.findings or [None]
    return report.figures, finding


def test_doctor_names_the_stage_that_limits(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    figures, finding = staged(Stages(data=0.06, augmentation=0.02, network=0.02))
    assert figures["limited by"] == "data"
    assert figures["share of a step"] == "data 60%, augmentation 20%, network 20%"
    assert "the loader takes 60 ms per batch, the rest of a step 40 ms" in finding.what
    figures, finding = staged(Stages(data=0.01, augmentation=0.06, network=0.03))
    assert (figures["limited by"], finding.topic) == ("augmentation", "augmentation")
    assert "2.0 times as long as the network" in finding.what
    figures, finding = staged(Stages(data=0.01, augmentation=0.02, network=0.07))
    assert (figures["limited by"], finding.level) == ("network", "note")
    assert figures["network, images/s"] == 71
    assert staged(Stages(data=0.01, augmentation=0.03))[1] is None


@pytest.mark.parametrize("images", [Slow(), SlowBatches()])
def test_doctor_counts_the_workers_that_keep_up(monkeypatch, images):
    monkeypatch.setattr("os.cpu_count", lambda: 1000)
    figures, finding = staged(Stages(0.1, 0.002, 0.003), torch.utils.data.DataLoader(images, 5))
    assert 1 < figures["loading, images/s of one core"] <= 50  # 20 ms an image, and more on a busy machine
    workers = int(re.search(r"num_workers=(\d+), persistent_workers=True\) instead of 0", finding.remedy)[1])
    assert workers >= 20  # 100 ms for a batch, in 5 ms
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    _, finding = staged(Stages(0.1, 0.002, 0.003), torch.utils.data.DataLoader(images, 5))
    assert "and there are 8: shrink the files once" in finding.remedy


def test_doctor_trains_a_network(capsys):
    options = ("--batch", 2, "--size", 32, "--device", "cpu", "--network", "test_vit", "--json")
    run("doctor", "Resize((160, 160))", *options)
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert figures["network, images/s"] > 0
    assert figures["share of a step"].count("%") == 3


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
