"""The playground: what its page does is pure functions of plain data; the page is clicked through in Chromium."""

import importlib.util
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from PIL import Image

import augment as A
from augment.tools.errors import ToolError
from augment.tools.playground import pictures, state, texts
from augment.tools.playground.controls import controls, given
from augment.tools.preview.captions import caption
from augment.tools.recipe_file import read_recipe
from tests.tools.commands import failure

EMPTY = {"_target_": "augment.Pipeline", "_args_": [], "seed": 0}
NO_GRADIO = importlib.util.find_spec("gradio") is None
NO_BROWSER = NO_GRADIO or importlib.util.find_spec("playwright") is None or shutil.which("chromium") is None
CHROMIUM = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"


@pytest.mark.parametrize("name", state.names())
def test_a_control_that_is_set_to_its_own_value_changes_nothing(name):
    layer = state.added(EMPTY, name)["_args_"][0]
    distributions = repr(state.built(layer))
    for control in controls(layer):
        values = control.value if control.kind == "range" else (control.value,)
        again = layer | {control.argument: given(layer, control, *values)}
        assert repr(state.built(again)) == distributions, control
        assert control.kind in ("range", "probability") or again == {control.argument: again[control.argument]} | layer
        assert control.kind != "range" or control.limits[0] <= values[0] <= values[1] <= control.limits[1]


@pytest.mark.parametrize("choice", ["imagenet", "custom", "sample_adaptive", "learned"])
def test_a_pipeline_as_python_and_as_a_file_is_the_same_pipeline(choice, tmp_path):
    config = state.opened(choice)
    program = {}
    exec(texts.as_python(config), program)
    assert program["pipeline"].config() == config
    (tmp_path / "mine.yaml").write_text(texts.as_hydra(config))
    read_recipe(tmp_path / "mine.yaml", trust=False, flag="--trust")
    assert state.opened(str(tmp_path / "mine.yaml")) == config


def test_a_pipeline_as_yaml_for_the_lightning_cli_is_the_same_pipeline():
    jsonargparse = pytest.importorskip("jsonargparse")
    yaml = pytest.importorskip("yaml")
    config = state.added(state.opened("custom"), "RandomRain")
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--augment", type=list[A.Layer])
    found = parser.parse_object({"augment": yaml.safe_load(texts.as_lightning(config))["model"]["augment"]})
    made = parser.instantiate(found).augment
    assert [repr(layer) for layer in made] == [repr(state.built(layer)) for layer in state.layers_of(config)]
    with pytest.raises(ToolError, match="cannot build a Pipeline inside of a Pipeline"):
        texts.as_lightning(EMPTY | {"_args_": [EMPTY]})


def test_layers_come_go_move_and_change():
    config = state.added(state.added(EMPTY, "RandomGamma"), "RandomEqualize")
    config = state.added(config, "RandomRotation")
    assert EMPTY["_args_"] == []
    names = [state.name_of(layer) for layer in state.layers_of(state.moved(config, 2, -1))]
    assert names == ["RandomGamma", "RandomRotation", "RandomEqualize"]
    assert state.moved(config, 0, -1) == state.moved(config, 2, 1) == config
    config = state.removed(config, 1)
    config = state.changed(config, 1, "degrees", [10, 20])
    assert state.pipeline(config).layers[1].degrees.support() == (10, 20)
    assert len(state.layers_of(config)) == 2


def test_a_range_keeps_its_distribution_and_its_order():
    layer = A.RandomGaussianBlur(7, A.LogUniform(0.1, 2.0)).config()
    sigma = next(control for control in controls(layer) if control.argument == "sigma")
    assert given(layer, sigma, 3.0, 0.5) == {"_target_": "augment.LogUniform", "low": 0.5, "high": 3.0}
    kinds = {control.argument: control.kind for control in controls(A.RandomMixUp(A.Beta(0.2, 0.2)).config())}
    assert kinds["lambda_val"] == "text", "two numbers do not say all of a Beta"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"_target_": "os.system", "command": "true"}, "is not a layer, distribution or preset"),
        ({"_target_": "augment.RandomRotation", "degrees": 400}, "RandomRotation: degrees=400 must lie within"),
        ({"_target_": "augment.RandomRotation", "degree": 30}, "RandomRotation: missing a required argument"),
    ],
)
def test_what_cannot_be_built_is_one_sentence(config, said):
    with pytest.raises(ToolError, match=re.escape(said)):
        state.built(config)


def test_samples_and_explanations_are_of_the_same_draws(tmp_path):
    Image.effect_noise((700, 350), 60).convert("RGB").save(tmp_path / "large.png")
    sample = pictures.sample_of(str(tmp_path / "large.png"))
    assert sample.image.shape == (3, 256, 512), "shrunk"
    config = state.added(state.added(EMPTY, "RandomRotation"), "RandomResizedCrop")
    first, *tiles = pictures.samples_of(config, sample, 3, 5, 64)
    assert first.lines == ["original"]
    said = pictures.explanations(config, sample, 3, 5)
    assert [caption(entry) for entry in said] == [tile.lines for tile in tiles]
    assert len({tuple(tile.lines) for tile in tiles}) == 3
    later = pictures.samples_of(config, sample, 2, 6, 64)
    assert [tile.lines for tile in later[1:]] == [tile.lines for tile in tiles[1:]], "a tile belongs to its epoch"
    assert pictures.grid([first, *tiles]).count("<img") == 4
    assert len(pictures.samples_of(EMPTY, sample, 3, 0, 64)) == 1


def test_an_image_is_mixed_with_another_and_strength_rises():
    pytest.importorskip("sklearn")
    sample = pictures.sample_of(None)
    mixed = pictures.samples_of(state.opened("RandomMixUp((0.5, 0.5))"), sample, 1, 0, 32)[1]
    assert mixed.lines[0] == "flower 50 % + temple 50 %"
    rising = state.opened("RandomRotation(Schedule({0: 0, 1: 30}, of='strength'), p=1.0)")
    degrees = [entry["layers"][0]["degrees"] for entry in pictures.explanations(rising, sample, 6, 0)]
    assert degrees[0] == 0
    assert 0 not in degrees[1:]


def test_without_gradio_the_command_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    said = failure(capsys, "playground")
    assert said == (
        "error: the playground needs gradio, which is not installed: "
        'pip install gradio, or pip install "augment-inside[playground]".'
    )


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address of a running playground."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "augment", "playground", "--port", str(port), "--pipeline", "RandomRotation(30)"]
    log = tmp_path_factory.mktemp("log") / "log"
    with log.open("w") as said:
        server = subprocess.Popen(command, stdout=said, stderr=said, cwd=Path(__file__).parents[2], env=os.environ)
    try:
        for _ in range(300):
            assert server.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=5)
                break
            except OSError:
                time.sleep(0.3)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


@pytest.mark.skipif(NO_BROWSER, reason="needs gradio, playwright and chromium")
def test_the_page_does_what_is_clicked(address, tmp_path):
    from playwright.sync_api import expect, sync_playwright

    (tmp_path / "policy.yaml").write_text(texts.as_hydra(state.opened("RandomSolarize(0.2, p=1.0)")))
    Image.new("RGB", (60, 30), "red").save(tmp_path / "red.png")
    elsewhere, wrong = [], []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM.split())
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.on("request", lambda asked: elsewhere.append(asked.url) if asked.url.startswith("http") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(address)
        code, samples = page.locator("#python"), page.locator("#samples")
        expect(samples.locator("figure")).to_have_count(11, timeout=60_000)
        expect(code).to_contain_text("A.RandomRotation(degrees=30)")

        slider = page.get_by_label("range slider for degrees to")
        slider.focus()
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        expect(code).to_contain_text("degrees=[-30, 35]", timeout=20_000)

        page.locator("#add input").fill("RandomGamma")
        page.keyboard.press("Enter")
        expect(samples.locator("figcaption", has_text="gamma").first).to_be_visible(timeout=20_000)
        page.locator("#up-1").click()
        expect(code).to_contain_text(re.compile(r"A\.RandomGamma.*A\.RandomRotation", re.DOTALL), timeout=20_000)
        page.locator("#remove-1").click()
        expect(code).not_to_contain_text("RandomRotation", timeout=20_000)

        page.locator("#compared textarea").fill("RandomVerticalFlip(p=1.0)")
        page.locator("#compared textarea").blur()
        expect(page.locator("#others figcaption", has_text="vertical flip")).to_have_count(10, timeout=20_000)
        page.locator("#compared textarea").fill("RandomVerticalFlop()")
        page.locator("#compared textarea").blur()
        expect(page.locator("#others")).to_contain_text("did you mean RandomVerticalFlip", timeout=20_000)

        page.locator("#image input[type=file]").first.set_input_files(tmp_path / "red.png")
        expect(samples.locator("img").first).to_have_attribute("height", "60", timeout=20_000)
        page.locator("input[type=file][accept*=yaml]").set_input_files(tmp_path / "policy.yaml")
        page.get_by_role("tab", name="Lightning CLI YAML").click()
        expect(page.locator("#lightning")).to_contain_text("class_path: augment.RandomSolarize", timeout=20_000)
        browser.close()
    assert not wrong
    assert {url for url in elsewhere if not url.startswith(address)} == set(), "no request to another server"
