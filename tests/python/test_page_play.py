"""The playground and the telephone game on the page, in a real browser."""

import re

from browser import number, shown

XOR = [([0, 0], 0), ([0, 1], 1), ([1, 0], 1), ([1, 1], 0)]
CORNERS = "points=0,0,0;0,1,1;1,0,1;1,1,0"


def loss(page) -> float:
    # In one go: between finding it and reading it a running training writes it anew.
    found = page.run("return document.querySelector('#play-loss b')?.textContent")
    return number(found) if found else 1.0


def session_of(page) -> str:
    return re.search(r"session=([a-z0-9.-]+)", page.driver.current_url)[1]


def pause(page) -> None:
    page.press("#play-train")
    page.wait(lambda: page.one("#play-train").text == "Go on")


def pixels(page, places: list[tuple[float, float]]) -> list[list[int]]:
    """The colours of the surface at parts of its width and height, read in one go."""
    script = """const c = document.getElementById('surface'), { width, height } = c;
      const { data } = c.getContext('2d').getImageData(0, 0, width, height);
      const at = ([x, y]) => 4 * (Math.floor(y * height) * width + Math.floor(x * width));
      return arguments[0].map((place) => [...data.slice(at(place), at(place) + 4)])"""
    return page.run(script, places)


def test_xor_is_learned(page, server):
    page.open(f"#play?data=own&{CORNERS}&layers=4.tanh&rate=0.5&seed=7")
    assert page.text("#play-loss") == "not trained yet"
    page.press("#play-train")
    page.wait(lambda: loss(page) < 0.1)
    pause(page)
    path = f"/v1/sessions/{session_of(page)}"
    rows = {"inputs": [row for row, _ in XOR], "targets": [[target] for _, target in XOR]}
    outputs = server.post(f"{path}/forward", rows)["forward"]["outputs"]
    assert [round(output) for [output] in outputs] == [target for _, target in XOR]
    step = server.get(path)["step"]
    last = server.get(f"{path}/steps?after={step - 1}")["steps"][0]
    assert loss(page) == number(shown(last["loss"]))
    # One is blue and zero is orange: at every corner the surface says what was learned.
    corners = [((x + 0.2) / 1.4, 1 - (y + 0.2) / 1.4) for (x, y), _ in XOR]
    for (red, _, blue, _), (corner, target) in zip(pixels(page, corners), XOR, strict=True):
        assert (blue > red) == bool(target), corner
    assert len(page.all(".anatomy .tile canvas")) == 5, "every unit has its own surface"
    assert len(page.all("#play-flow .flow-bar")) == 2
    assert "depth insight says" in page.text("#play-verdict")


def test_a_dataset_of_the_server_is_learned(page, server):
    page.open("#play?data=circle&layers=6.tanh&rate=1&seed=3")
    assert page.one("#play-data").get_attribute("value") == "circle"
    assert len(page.all("#surface-points .dot")) == len(server.get("/v1/datasets/circle?rows=true&limit=1000")["inputs"])
    page.press("#play-train")
    page.wait(lambda: loss(page) < 0.2)
    pause(page)
    path = f"/v1/sessions/{session_of(page)}"
    run = server.get(f"{path}/train")
    assert run["state"] in ("cancelled", "done") and run["dataset"]["split"]["train"] > 0
    assert server.get(path)["step"] == run["step"], "it was stopped where it stands"
    middle, edge = pixels(page, [(0.5, 0.5), (0.04, 0.04)])
    assert (middle[2] > middle[0]) != (edge[2] > edge[0]), "inside is told from outside"


def test_single_steps_and_back_again(page, server):
    page.open(f"#play?data=own&{CORNERS}&layers=3.tanh&rate=0.5&seed=1")
    for _ in range(3):
        page.press("#play-step")
    path = f"/v1/sessions/{session_of(page)}"
    losses = [entry["loss"] for entry in server.get(f"{path}/steps")["steps"][1:]]
    assert loss(page) == number(shown(losses[2]))
    page.press("#play-back")
    assert loss(page) == number(shown(losses[1]))
    page.press("#play-back")
    assert loss(page) == number(shown(losses[0]))
    entries = server.get(f"{path}/steps")["steps"]
    assert [entry["asked"].get("to") for entry in entries[4:]] == [2, 1]
    assert entries[5]["state"] == entries[1]["state"]
    page.press("#play-step")
    assert server.get(f"{path}/steps/6")["loss"]["value"] == losses[1], "from there it goes the same way again"


def test_points_are_set_and_taken_away(page):
    page.open(f"#play?data=own&{CORNERS}")
    page.type("#point-x", "0.5")
    page.type("#point-y", "0.5")
    page.wait(lambda: len(page.all("#surface-points .dot")) == 5)
    page.press("#play-points summary")
    page.press('[aria-label="Remove point 0.5, 0.5"]')
    page.wait(lambda: len(page.all("#surface-points .dot")) == 4)
    page.press("#surface-points svg")
    page.wait(lambda: len(page.all("#surface-points .dot")) == 5)


def test_a_network_is_built(page, server):
    page.open(f"#play?data=own&{CORNERS}&layers=4.tanh")
    page.press('[data-key="add-layer"]')
    page.press('[aria-label="Layer 2: residual"]')
    page.press('[aria-label="Layer 2: batch norm"]')
    page.press("#play-step")
    network = server.get(f"/v1/sessions/{session_of(page)}")["network"]
    assert [layer["kind"] for layer in network["layers"]] == ["dense", "residual", "dense"]
    assert [layer["kind"] for layer in network["layers"][1]["layers"]] == ["dense", "batch_norm", "activation"]


def test_deep_networks_are_drawn_as_layers(page):
    page.open("#play?preset=telephone-relu")
    items = [item.text.split("\n") for item in page.all(".layer-strip > li")]
    assert items == [["16", "inputs"], ["16", "relu", "× 99"], ["1", "linear"]]
    page.press("#play-step")
    assert len(page.all("#play-flow .flow-bar")) == 100


def test_the_first_layer_goes_deaf_and_is_cured(page, server):
    page.open("#telephone?depth=10")
    slider = "const s = document.getElementById('depth'); s.value = 100; s.dispatchEvent(new Event('input'))"
    page.run(slider)
    page.wait(lambda: len(page.all('[data-variant="sigmoid"] .depth-bar')) == 100)
    game = {"depth": 100, "width": 16, "seed": 3}
    variants = {variant["name"]: variant for variant in server.post("/v1/depth", game)["variants"]}
    first = variants["sigmoid"]["layers"][-1]
    assert first["change_norm"] < 1e-40
    assert shown(first["change_norm"]) in page.text("#telephone-told")
    for cure in ("relu", "residual", "batch_norm"):
        page.press(f'#cures input[value="{cure}"]')
        page.wait(lambda cure=cure: page.all(f'[data-variant="{cure}"]'))
    for name, variant in variants.items():
        card = f'[data-variant="{name}"]'
        assert page.text(f"{card} .verdict") == variant["verdict"]
        assert shown(variant["layers"][-1]["ratio_to_output"]) in page.text(f"{card} .whisper")
    assert page.text('[data-variant="sigmoid"] .verdict') == "vanishing"
    # The bars stand as high as the logarithms say: the middle one is half way down.
    heights = [float(bar.get_attribute("height")) for bar in page.all('[data-variant="sigmoid"] .depth-bar')]
    logs = [layer["log10_ratio"] for layer in variants["sigmoid"]["layers"]]
    part = (heights[0] - heights[50]) / (heights[0] - heights[99])
    assert abs(part - (logs[0] - logs[50]) / (logs[0] - logs[99])) < 0.02
