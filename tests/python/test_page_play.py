"""The playground and the telephone game on the page, in a real browser."""

import re

import pytest

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


def test_each_loss_says_which_rows_it_is_of(page, server):
    page.open("#play?data=circle&layers=4.tanh&seed=3")
    page.press("#play-train")
    page.wait(lambda: loss(page) < 0.7)
    pause(page)
    for _ in range(2):
        path = f"/v1/sessions/{session_of(page)}"
        run = server.get(f"{path}/train")
        assert run["step"] == run["evaluated_at"]
        told = page.text("#play-loss").replace("\u00a0", " ")
        own, rest = told.split(". ", 1)
        assert own.startswith(f"after {run['step']} steps: loss {shown(run['loss'])} on the rows of the last step, right ")
        assert rest.startswith(f"Over all rows it learns from: loss {shown(run['train_loss'])}, right ")
        assert f"On unseen data: loss {shown(run['test_loss'])}, right " in rest
        page.press("#play-step")


def test_what_was_said_of_other_points_is_not_said_of_these(page):
    page.open(f"#play?data=own&{CORNERS}&layers=4.tanh")
    page.press("#play-step")
    assert "Over all rows" in page.text("#play-loss") and page.text("#play-verdict")
    page.type("#point-x", "0.5")
    page.type("#point-y", "0.5")
    page.wait(lambda: len(page.all("#surface-points .dot")) == 5)
    page.idle()
    assert page.text("#play-loss").strip().endswith("on the rows of the last step, before the data were changed.")
    assert page.text("#play-verdict") == ""
    page.press("#play-step")
    assert "Over all rows" in page.text("#play-loss") and "changed" not in page.text("#play-loss")


def test_the_plane_has_names_and_ends(page):
    page.open(f"#play?data=own&{CORNERS}")
    assert [part.text for part in page.all("#surface-x span")] == ["−0.2", "x₁", "1.2"]
    assert [part.text for part in page.all("#surface-y span")] == ["−0.2", "x₂", "1.2"]
    page.type("#point-x", "3")
    page.type("#point-y", "0")
    page.wait(lambda: page.text("#surface-x span:last-child") == "3.6")


def test_the_ends_of_the_telephone_stand_below_their_bars(page):
    page.open("#telephone?depth=2")
    middles = page.run("""const chart = document.querySelector('[data-variant="sigmoid"] svg');
      const middle = (element) => { const { left, right } = element.getBoundingClientRect(); return (left + right) / 2 };
      return [...chart.querySelectorAll('.depth-bar'), ...chart.querySelectorAll('.tick.middle')].map(middle)""")
    output, first, first_name, output_name = middles
    assert abs(output - output_name) < 2 and abs(first - first_name) < 2


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


def trained(server, steps: int) -> str:
    """The name of a session that learned the four corners without the page."""
    layers = [{"kind": "dense", "units": 4, "activation": "tanh"}, {"kind": "dense", "units": 1, "activation": "sigmoid"}]
    spec = {"network": {"inputs": 2, "layers": layers}, "loss": "binary_cross_entropy", "seed": 7}
    name = server.post("/v1/sessions", {**spec, "optimizer": {"kind": "sgd", "learning_rate": 0.5}})["name"]
    rows = {"inputs": [row for row, _ in XOR], "targets": [[target] for _, target in XOR]}
    server.post(f"/v1/sessions/{name}/train", {**rows, "steps": steps, "batch_size": 4})
    return name


def learned(page) -> str:
    return page.text("#play-loss").split(":")[0]


def test_what_learns_at_once_is_made_in_portions(page, server):
    page.open(f"#play?data=own&{CORNERS}&layers=4.tanh&rate=0.5&seed=7")
    page.press("#play-train")
    page.wait(lambda: loss(page) < 0.5)
    pause(page)
    path = f"/v1/sessions/{session_of(page)}"
    step, run = server.get(path)["step"], server.get(f"{path}/train")
    assert learned(page) == f"after {step} steps"
    assert run["to"] - run["from"] <= max(5, step // 8 + 1), "the picture is drawn anew and Pause is heard between portions"


def test_a_run_is_paused_when_the_playground_is_left(page, server):
    page.open("#play?data=digits")
    page.press("#play-train")
    page.wait(lambda: "session=" in page.driver.current_url)
    page.press('nav [data-view="walk"]')
    page.wait(lambda: page.run("return document.body.dataset.ready") == "walk")
    page.run("history.back()")
    page.wait(lambda: page.run("return document.body.dataset.ready") == "play" and page.one("#play-train").text == "Go on")
    path = f"/v1/sessions/{session_of(page)}"
    assert server.get(f"{path}/train")["state"] in ("cancelled", "done")
    assert learned(page) == f"after {server.get(path)['step']} steps"


def test_digits_are_learned_while_the_page_stays_awake(page, server):
    page.open("#play?data=digits")
    page.run("""window.frames_ = window.drawn = 0;
      const next = () => { window.frames_ += 1; requestAnimationFrame(next) };
      next();
      new MutationObserver(() => { window.drawn += 1 }).observe(document.getElementById('play-loss'), { childList: true });""")
    page.press("#play-train")
    unseen = "return Number(/unseen data.*right ([0-9.]+)\\s%/.exec(document.getElementById('play-loss').textContent)?.[1])"
    page.wait(lambda: (page.run(unseen) or 0) > 85)
    pause(page)
    drawn, frames = page.run("return [window.drawn, window.frames_]")
    assert drawn <= frames + 10, "what is told faster than frames come is not drawn"
    network = server.get(f"/v1/sessions/{session_of(page)}")["network"]
    assert [layer["units"] for layer in network["layers"]] == [32, 10]


def test_a_long_history_is_read_only_as_far_as_it_is_drawn(page, server):
    name = trained(server, 12_000)
    path = f"/v1/sessions/{name}"
    page.open(f"#play?session={name}&data=own&{CORNERS}")
    assert learned(page) == "after 12000 steps"
    assert loss(page) == number(shown(server.get(f"{path}/steps?after=11999")["steps"][0]["loss"]))
    assert page.one("#play-curve svg").get_attribute("aria-label").endswith("at step 12000")
    assert page.text("#play-curve p") == "Loss of 2031 of these steps, each on its own rows. Of the steps from 1000 to 11000 the curve shows a few."
    asked = page.run("return performance.getEntriesByType('resource').map((one) => one.name).filter((one) => one.includes('/steps?'))")
    assert len(asked) <= 20, asked


def test_a_step_back_is_one_step_and_is_remembered(page, server):
    name = trained(server, 5_000)
    page.open(f"#play?session={name}&data=own&{CORNERS}")
    shapes = []
    for press, expected in [("back", 4999), ("back", 4998), ("step", 4999), ("back", 4998), ("step", 4999), ("step", 5000)]:
        page.press(f"#play-{press}")
        assert learned(page) == f"after {expected} steps"
        shapes.append(page.one("#play-curve svg").get_attribute("aria-label").split()[-1])
    assert shapes == ["4999", "4998", "4999", "4998", "4999", "5000"]
    path = f"/v1/sessions/{session_of(page)}"
    assert server.get(path)["step"] == 5006
    back = [entry["asked"]["to"] for entry in server.get(f"{path}/steps?after=5000")["steps"] if entry["kind"] == "rewind"]
    assert back == [4999, 4998, 5002], "5002 is where it had gone back to 4998"
    assert server.get(f"{path}/steps?after=5005")["steps"][0]["loss"] == server.get(f"{path}/steps?after=4999")["steps"][0]["loss"]
    page.open(page.driver.current_url.removeprefix(f"{page.base_url}/"))
    assert learned(page) == "after 5000 steps"


def test_a_run_that_goes_on_is_taken_up_and_paused(page, server):
    page.open(f"#play?data=own&{CORNERS}&layers=4.tanh")
    page.press("#play-step")
    address, path = page.driver.current_url, f"/v1/sessions/{session_of(page)}"
    rows = {"inputs": [row for row, _ in XOR], "targets": [[target] for _, target in XOR]}
    begun = server.answer("POST", f"{path}/train", {**rows, "steps": 1_000_000_000}, {"prefer": "respond-async"})
    assert begun.status_code == 202
    page.wait(lambda: server.get(path)["step"] > 1)
    page.open(address.removeprefix(f"{page.base_url}/"))
    page.wait(lambda: page.one("#play-train").text == "Pause")
    pause(page)
    assert server.get(f"{path}/train")["state"] == "cancelled"
    assert learned(page) == f"after {server.get(path)['step']} steps"


@pytest.mark.parametrize(("selector", "text", "allowed"), [
    ("[data-key=rate]", "abc", "not below zero"),
    ("[data-key=rate]", "-1", "not below zero"),
    ("[data-key=rate]", "1e999", "not below zero"),
    ("[data-key=units-0]", "0", "a whole number from 1 to 64"),
    ("[data-key=units-0]", "-3", "a whole number from 1 to 64"),
    ("[data-key=units-0]", "100000", "a whole number from 1 to 64"),
    ("[data-key=seed]", "1.5", "a whole number"),
])
def test_a_bad_value_is_told_by_its_field_and_not_sent(page, server, selector, text, allowed):
    page.open(f"#play?data=own&{CORNERS}&layers=3.tanh")
    page.type(selector, text)
    message = f".field:has({selector}) .wrong"
    assert allowed in page.text(message) and f"“{text}”" in page.text(message)
    sent = "return performance.getEntriesByType('resource').length"
    before = page.run(sent)
    page.press("#play-step")
    page.press("#play-train")
    assert page.run(sent) == before, "nothing is sent before it is mended"
    assert page.text("#play-loss") == "not trained yet"
    assert page.run("return document.activeElement.dataset.key") in selector
    page.type(selector, "1")
    assert page.text(message) == ""
    page.press("#play-step")
    assert learned(page) == "after one step"


@pytest.mark.parametrize(("address", "told"), [
    ("#play?data=foo", "not “foo”, but one of xor,"),
    ("#play?layers=" + ",".join(["4.tanh"] * 13), "at most 12 layers"),
    ("#play?rate=-1", "not below zero"),
    ("#play?seed=x", "a whole number"),
    ("#play?optimizer=magic", "one of sgd,"),
    ("#play?preset=nothing", "one of worked-example,"),
    ("#play?noise=7", "a number from 0 to 1"),
    ("#telephone?depth=9999", "a whole number from 2 to 100"),
    ("#telephone?cures=tea", "one or more of relu,"),
])
def test_an_address_that_cannot_be_says_so(page, address, told):
    page.open(address)
    assert told in page.text(f"#{address[1:].split('?')[0]}-notice")


def test_the_way_past_the_header_stays_in_the_view(page):
    page.open("#play")
    page.one(".skip").send_keys("\n")
    assert page.run("return document.activeElement.id") == "main"
    assert page.one("#view-play").is_displayed() and "#play" in page.driver.current_url


def test_a_view_that_is_none_says_so(page):
    page.open("#kitchen")
    assert "not “kitchen”, but one of walk, play, telephone" in page.text("#trouble")


def test_a_session_that_no_data_fit_is_shown_as_it_is(page, server):
    layers = [{"kind": "dense", "units": 4}, {"kind": "batch_norm"}, {"kind": "activation", "activation": "tanh"},
              {"kind": "dense", "units": 2, "activation": "softmax"}]
    spec = {"network": {"inputs": 3, "layers": layers}, "loss": "cross_entropy"}
    name = server.post("/v1/sessions", {**spec, "optimizer": {"kind": "sgd", "learning_rate": 0.5}})["name"]
    page.open(f"#play?session={name}")
    assert "takes 3 numbers and gives 2" in page.text("#play-notice")
    assert not page.one("#play-train").is_enabled() and not page.one("#play-step").is_enabled()
    assert page.one('[aria-label="Layer 1: batch norm"]').is_selected(), "the form shows what the network is"


def test_the_verdict_has_no_more_digits_than_other_numbers(page):
    page.open(f"#play?data=own&{CORNERS}&layers=4.tanh,4.tanh")
    page.press("#play-step")
    ratio = re.search(r"is (\S+) times", page.text("#play-verdict"))[1]
    assert ratio == shown(number(ratio))


def test_points_are_set_and_taken_away(page):
    page.open(f"#play?data=own&{CORNERS}")
    page.type("#point-x", "abc")
    assert "x₁: not “abc”, but a number" in page.text("#point-wrong")
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


def test_a_network_without_hidden_layers_is_one_in_its_address(page):
    page.open("#play?data=circle&layers=none")
    assert "layers=none" in page.driver.current_url
    page.open(page.run("return location.hash"))
    assert [item.text.split("\n")[0] for item in page.all("#play-builder li")] == []


def test_deep_networks_are_drawn_as_layers(page):
    page.open("#play?preset=telephone-relu")
    items = [item.text.split("\n") for item in page.all(".layer-strip > li")]
    assert items == [["16", "inputs"], ["16", "relu", "× 99"], ["1", "linear"]]
    page.press("#play-step")
    assert len(page.all("#play-flow .flow-bar")) == 100
    assert page.text("#play-data option:checked") == "What belongs to the network"


def test_layers_that_repeat_together_are_drawn_once(page):
    page.open("#play?preset=telephone-batch-norm")
    items = [item.text.split("\n") for item in page.all(".layer-strip > li")]
    assert items == [["16", "inputs"], ["16", "linear", "batch norm", "sigmoid", "× 99"], ["1", "linear"]]


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
        assert shown(variant["layers"][-1]["change_norm"]) in page.text("#telephone-told")
    assert page.text('[data-variant="sigmoid"] .verdict') == "vanishing"
    # The bars stand as high as the logarithms say: the middle one is half way down.
    heights = [float(bar.get_attribute("height")) for bar in page.all('[data-variant="sigmoid"] .depth-bar')]
    logs = [layer["log10_ratio"] for layer in variants["sigmoid"]["layers"]]
    part = (heights[0] - heights[50]) / (heights[0] - heights[99])
    assert abs(part - (logs[0] - logs[50]) / (logs[0] - logs[99])) < 0.02
