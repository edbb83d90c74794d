"""The preview draws a sheet, keyed by seed and epoch, with captions that say what happened."""

import json
import re
from pathlib import Path

import pytest
import torch
import torch._dynamo
from PIL import Image, ImageChops, ImageStat

import augment as A
from augment.tools.preview import text
from augment.tools.preview.annotations import annotated
from augment.tools.preview.captions import caption
from augment.tools.preview.draws import tiles
from augment.tools.preview.examples import example_layer, layer_names
from augment.tools.preview.gallery import MOST_BYTES, draw_gallery
from augment.tools.preview.samples import Sample, class_of, read_samples, spread
from augment.tools.preview.sheet import MARGIN
from augment.tools.preview.strips import strips
from augment.tools.recipe import pipeline_of
from tests.tools.commands import failure, run
from tests.unchecked import import_unchecked

plain = import_unchecked("tests.speed_recipes")  # run-time type checks cannot be compiled


@pytest.fixture
def photos_folder(photos, tmp_path):
    for i in range(3):
        Image.fromarray(photos[i].permute(1, 2, 0).numpy()).save(tmp_path / f"photo{i}.png")
    return tmp_path


YAML = """
_target_: augment.Pipeline
_args_:
  - _target_: augment.Resize
    size: ["${data.size}", "${data.size}"]
  - _target_: augment.RandomRotation
    degrees: 30
    p: 1.0
"""


@pytest.mark.parametrize("recipe", ["light", "mixing", "recipe.yaml", "Resize((32, 32)), RandomMixUp(num_classes=2)"])
def test_preview_draws_a_sheet(recipe, photos_folder):
    (photos_folder / "recipe.yaml").write_text(YAML)
    recipe = photos_folder / recipe if recipe.endswith(".yaml") else recipe
    output = photos_folder / "sheets.png"
    run("preview", recipe, photos_folder, output, "--grid", "2x3", "--size", 32, "--tile", 64)
    sheet = Image.open(output)
    assert sheet.width == 4 * (64 + MARGIN) + MARGIN, "the original and three draws"
    assert sheet.height > 2 * 32
    assert len(sheet.getcolors(sheet.width * sheet.height)) > 100


def test_preview_warns_once_without_compiled_kernels(photos_folder, capsys, monkeypatch):
    words = ("preview", "light", photos_folder / "photo0.png", photos_folder / "x.png", "--grid", "1x1")
    monkeypatch.setattr("augment.kernels.cpu.library.AVAILABLE", True)
    run(*words)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("augment.kernels.cpu.library.AVAILABLE", False)
    run(*words)
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("warning: augment's CPU kernels were not compiled during installation, and torch's are sev")
    command = re.search(r"; install g\+\+, then run: (\S+) -m pip install --no-deps -e \"(.*)\"$", said)
    assert Path(command[1]).exists()
    assert (Path(command[2]) / "pyproject.toml").exists()


@pytest.mark.parametrize("tool", ["preview", "doctor"])
def test_a_file_builds_only_layers_unless_it_is_trusted(tool, photos_folder, capsys):
    file, made = photos_folder / "recipe.yaml", photos_folder / "made"
    file.write_text(f"_target_: pathlib.Path.mkdir\n_args_: [{{_target_: pathlib.Path, _args_: ['{made}']}}]")
    words = (tool, str(file), *([str(photos_folder), str(photos_folder / "x.png")] if tool == "preview" else []))
    said = failure(capsys, *words)
    assert f"{file}: _target_='pathlib.Path.mkdir' is not a layer, distribution or preset of augment" in said
    assert "add --trust" in said
    assert not made.exists()
    assert "its _target_ creates a NoneType, not a layer" in failure(capsys, *words, "--trust")
    assert made.exists()


def test_preview_is_keyed_by_seed_and_epoch(photos_folder):
    def sheet(*options):
        output = photos_folder / "again" / "sheet.png"
        output.parent.mkdir(exist_ok=True)
        run("preview", "RandomRotation(30, p=1.0)", photos_folder / "photo0.png", output, "--grid", "1x2", *options)
        return output.read_bytes()

    assert sheet() == sheet("--seed", 0)
    assert len({sheet(), sheet("--seed", 1), sheet("--epoch", 5)}) == 3


def test_captions_say_what_happened():
    pipeline = A.Pipeline(A.RandomRotation((10.0, 10.0), p=1.0), A.RandomHorizontalFlip(p=0.0), A.Normalize(0.5, 0.5))
    told = pipeline.explain(torch.zeros(pipeline.draws), (8, 8))
    assert caption(told) == ["rotation 10°"]
    still = A.Pipeline(A.RandomHorizontalFlip(p=0.0))
    assert caption(still.explain(torch.zeros(still.draws), (8, 8))) == ["unchanged"]


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        (
            {"layer": "RandomResizedCrop", "top": 130.0, "left": 90.0, "height": 104.0, "width": 99.0},
            "resized crop 99x104 at (90, 130)",
        ),
        ({"layer": "RandomCrop", "top": 3.0, "left": 4.0}, "crop at (4, 3)"),
        ({"layer": "CoarseDropout", "top": [1.0] * 3, "height": [5.0, 5.0, 0.0]}, "coarse dropout, 2 holes"),
        ({"layer": "SlotWarp", "operator": "TranslateY", "value": -27.0}, "translate y -27"),
        ({"layer": "SlotPixels", "operator": "Equalize", "value": 0.0}, "equalize"),
        ({"layer": "ColorJitter", "brightness": 1.25, "hue": 0.0}, "color jitter brightness 1.25"),
        ({"layer": "RandomAffine", "degrees": 0.0, "translate_x": -12.0, "scale": 1.0}, "affine translate x -12 px"),
        ({"layer": "RandomJPEG", "jpeg_quality": 34.0}, "JPEG quality 34"),
        ({"layer": "RandomGaussianNoise", "std": 0.095, "key": [0.3, 0.4]}, "gaussian noise std 0.095"),
    ],
)
def test_captions_are_readable(entry, line):
    assert caption({"layers": [entry | {"applied": True}]}) == [line]


def test_a_page_holds_its_pictures_and_any_name(photos, tmp_path):
    for name in ("猫", "<b>"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        Image.fromarray(photos[0].permute(1, 2, 0).numpy()).save(tmp_path / "photos" / name / "ü.png")
    run("preview", "RandomGamma()", tmp_path / "photos", tmp_path / "page.html", "--grid", "2x1")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == page.count("<img") == 4
    assert "猫" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page


def test_a_text_that_no_font_shows_is_left_out(monkeypatch):
    monkeypatch.setattr(text, "_WIDE", ())
    text.fonts.cache_clear()
    try:
        assert text.wrapped("猫", 100, 12) == []
        assert text.wrapped("cat 70 %", 100, 12) == ["cat 70 %"]
    finally:
        text.fonts.cache_clear()


def test_lines_fit_below_their_tile():
    lines = text.wrapped("color jitter brightness 1.25, contrast 0.8, saturation 1.1", 120, 12)
    assert len(lines) > 1
    assert all(text.font_of(line, 12).getlength(line) <= 120 for line in lines)
    assert " ".join(line.strip() for line in lines) == "color jitter brightness 1.25, contrast 0.8, saturation 1.1"


def test_a_folder_of_classes_is_sampled_across_classes(tmp_path):
    files = [tmp_path / "train" / name / f"{i}.png" for name in ("ant", "bee", "cow") for i in range(5)]
    chosen = spread(files, tmp_path, 4)
    assert [class_of(file, tmp_path) for file in chosen] == ["ant", "bee", "cow", "ant"]
    assert class_of(tmp_path / "1.png", tmp_path) is None


def test_mixes_are_made_at_the_resolution_of_the_pipeline_and_tell_shares(photos):
    samples = [Sample(photos[i, :, : 20 + i], f"{i}.png", f"class{i}") for i in range(4)]
    pipeline = A.Pipeline(A.RandomResizedCrop((48, 64)), A.RandomMixUp(lambda_val=(0.3, 0.3)), dtype=torch.uint8)
    noise = pipeline.noise(torch.arange(4))
    made = tiles(pipeline, samples, [sample.label for sample in samples], noise, 64)
    images = A.PackedImages.from_images([sample.image for sample in samples])
    expected = pipeline(A.Batch(images, label=torch.eye(4)), noise).image
    for tile, image in zip(made, expected, strict=True):
        assert tile.picture.size == (64, 48)
        torch.testing.assert_close(
            torch.frombuffer(bytearray(tile.picture.tobytes()), dtype=torch.uint8), image.permute(1, 2, 0).flatten()
        )
        assert re.fullmatch(r"class\d: 70 % \+ class\d: 30 %", tile.lines[0])


def test_annotations_are_drawn_where_the_image_goes(photos_folder):
    told = {
        "images": [{"id": 1, "file_name": "photo0.png"}],
        "annotations": [
            {
                "image_id": 1,
                "category_id": 3,
                "bbox": [2, 4, 10, 12],
                "keypoints": [20, 20, 2],
                "segmentation": [[25, 5, 33, 5, 33, 13, 25, 13]],
            }
        ],
        "categories": [{"id": 3, "name": "cat"}],
    }
    file = photos_folder / "boxes.json"
    file.write_text(json.dumps(told))
    (sample,) = annotated(read_samples(str(photos_folder / "photo0.png"), 1), str(file))
    assert sample.boxes.tolist() == [[2, 4, 12, 16]]
    assert sample.mask[9, 29] == 1
    assert sample.mask[20, 29] == 0
    plain = Sample(sample.image, sample.name, sample.label)
    flip = A.Pipeline(A.RandomHorizontalFlip(p=1.0), dtype=torch.uint8)
    noise = flip.noise(torch.arange(1))
    (drawn,), (bare,) = (tiles(flip, [each], [each.label], noise, 37 * 4) for each in (sample, plain))
    changed = ImageChops.difference(drawn.picture, bare.picture).convert("L").point(lambda value: 255 * (value > 0))
    assert changed.getpixel((4 * (37 - 12), 4 * 10)), "the left edge of the mirrored box"
    assert changed.getpixel((4 * (37 - 29) - 2, 4 * 9)), "the mirrored mask"
    assert changed.getpixel((4 * (36 - 20) + 2, 4 * 20 + 2)), "the mirrored keypoint"
    assert not changed.getpixel((4 * 29, 4 * 9)), "where the mask was"


@pytest.mark.parametrize(
    "name", ["RandomGamma", "RandomCutMix", "TrivialAugmentWide", "RandomCrop", "Pad", "RandomResizedCrop"]
)
def test_strips_go_from_low_to_high(name, photos):
    samples = [Sample(photos[i, :, :24, :24], f"{i}", f"{i}") for i in range(4)]
    layer = A.RandomCrop((16, 16)) if name == "RandomCrop" else example_layer(name)
    rows = strips(layer, samples, 3, 24)
    assert len(rows) == {"RandomGamma": 2, "RandomResizedCrop": 2}.get(name, 1)
    for row in rows:
        assert row[0].picture.tobytes() == samples[0].image.permute(1, 2, 0).contiguous().numpy().tobytes()
        assert len(row) == (2 if name == "Pad" else 4)
        if name != "TrivialAugmentWide":  # which may draw the same twice
            assert len({tile.picture.tobytes() for tile in row[1:]}) == len(row) - 1
    if name == "RandomGamma":
        assert [tile.lines for tile in rows[0][1:]] == [["gamma 0.5"], ["gamma 1.25"], ["gamma 2"]]


@pytest.mark.parametrize("name", layer_names())
def test_every_layer_has_a_small_picture(name, photos, tmp_path):
    large = torch.nn.functional.interpolate(photos.float(), (240, 240), mode="bilinear").to(torch.uint8)
    large[..., ::20] //= 2  # lines, which blurs and sharpening change
    samples = [Sample(image, f"{i}", f"{i}") for i, image in enumerate(large[:4])]
    (file,) = draw_gallery(tmp_path, samples, [name])
    assert file.stat().st_size <= MOST_BYTES
    picture = Image.open(file)
    before, *after = (picture.crop((8 + left, 8, 128 + left, 128)) for left in range(0, picture.width - 128, 128))
    changes = [ImageStat.Stat(ImageChops.difference(before, tile)).mean for tile in after]
    if name not in ("LongestMaxSize", "SmallestMaxSize"):  # a tile is of one size
        assert max(map(max, changes)) > 0.5, "the layer does something, more than the compression of the file"


def test_a_run_can_be_previewed_and_its_file_builds_only_layers(photos_folder, capsys):
    file = photos_folder / "config.yaml"
    words = ("preview", file, photos_folder / "photo0.png", photos_folder / "x.png", "--grid", "1x1")
    layer = "{_target_: augment.RandomGamma, p: 1.0, gamma: '${strength}'}"
    file.write_text(f"strength: [2.0, 2.0]\naugment: {layer}\ntrainer: {{_target_: pytorch_lightning.Trainer}}")
    run(*words)
    file.write_text(f"strength: '${{oc.env:HOME}}'\naugment: {layer}")
    assert "refers to something other than" in failure(capsys, *words)
    file.write_text("made: {_target_: pathlib.Path}\naugment: {_target_: augment.Pipeline, _args_: ['${made}']}")
    assert "_target_='pathlib.Path' is not a layer" in failure(capsys, *words)


@pytest.mark.parametrize("name", ["learned", "medical", "randaugment_per_batch"])
def test_choices_of_the_trainer_are_known(name):
    assert isinstance(pipeline_of(name, size=32), A.Pipeline)
