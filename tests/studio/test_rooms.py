"""What a learner does in each room, in a real browser."""

import ast
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, Request, expect

from priorcraft import condition
from priorcraft import studio as studio_package
from priorcraft.implicit.detectors import DETECTORS
from priorcraft.shown import spaced
from priorcraft.studio.freeze import freeze
from priorcraft.studio.rooms.questions import askable
from priorcraft.verbs.schema import described
from studio.conftest import Server, weather

NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")  # as in lib/i18n.js
ENGINES = Path(condition.__file__).parent
ROOMS = ("data", "bayes", "classifiers", "latent", "order", "vae", "game", "evidence", "compare", "ask")
PATIENCE = 60_000  # ms; a machine may be busy
expect.set_options(timeout=PATIENCE)


@pytest.fixture
def studio(server: Server, page: Page) -> Iterator[Page]:
    """The page, which may ask nobody but its own server, and may not fail silently."""
    elsewhere, faults = list[str](), list[str]()

    def look(request: Request) -> None:
        if not request.url.startswith((f"http://127.0.0.1:{server.port}/", "blob:", "data:")):
            elsewhere.append(request.url)

    page.set_default_timeout(PATIENCE)
    page.on("request", look)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.emulate_media(reduced_motion="reduce")
    page.goto(server.url)
    expect(page.locator("html")).to_have_attribute("data-ready", "yes")
    yield page
    assert not elsewhere
    assert not faults


def enter(page: Page, room: str) -> None:
    page.evaluate("room => { location.hash = `#/${room}`; }", room)
    expect(page.locator(f"#room-{room}")).to_be_visible()
    expect(page.locator(f"#room-{room} :is(.sheet, table)").first).to_be_visible()


def dropped(page: Page, name: str, content: bytes) -> None:
    """A file is chosen in the room that is open."""
    file = {"name": name, "mimeType": "text/csv", "buffer": content}
    page.locator("input[type=file]").first.set_input_files(file)  # pyright: ignore[reportArgumentType]


def pad(page: Page):
    return page.locator("canvas[role=application]")


def stroke(page: Page, *points: tuple[float, float]) -> None:
    """A stroke over the pad through points, as shares of its sides."""
    pad(page).scroll_into_view_if_needed()
    box = pad(page).bounding_box()
    assert box is not None
    at = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in points]
    page.mouse.move(*at[0])
    page.mouse.down()
    for place in at[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()


def looks(page: Page, selector: str) -> str:
    return page.locator(selector).first.evaluate("canvas => canvas.toDataURL()")


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Waits for what only Python can see: the page's policy forbids to evaluate strings in it."""
    for _ in range(PATIENCE // 100):
        if holds():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it never came")


def until_it_changes(page: Page, selector: str, before: str) -> None:
    until(page, lambda: looks(page, selector) != before)


def test_the_token_is_taken_out_of_sight_and_survives_a_reload(studio: Page):
    assert "token" not in studio.url
    studio.reload()
    expect(studio.locator("#room-data figure, #room-data canvas").first).to_be_visible()


def test_data_own_images_are_dropped_looked_at_and_fitted(studio: Page):
    enter(studio, "data")
    rng, files = np.random.default_rng(0), []
    for i in range(40):
        buffer = io.BytesIO()
        Image.fromarray((rng.random((6, 6)) * 60 + 150 * (i % 2)).astype(np.uint8)).save(buffer, "png")
        files.append({"name": f"{i}.png", "mimeType": "image/png", "buffer": buffer.getvalue()})
    studio.locator("input[type=file]").first.set_input_files(files)
    expect(studio.get_by_text("images of 6 × 6 pixels")).to_be_visible()
    studio.get_by_label("Model", exact=True).select_option("naive-bayes")
    studio.get_by_label("Minutes").fill("0.02")
    studio.locator("#fit").click()
    expect(studio.locator("[data-run] .note").filter(has_text=re.compile("^done$")).first).to_be_visible()
    expect(studio.locator("tbody tr").filter(has_text="naive-bayes-1")).to_contain_text("nats")


def test_data_a_table_is_looked_at_and_its_run_sampled(studio: Page):
    enter(studio, "data")
    dropped(studio, "weather.csv", weather(20).encode())
    expect(studio.get_by_role("region", name="The first rows").locator("td").nth(1)).to_have_text("18.5")
    expect(studio.get_by_text("sky: 2 words: rain, sun")).to_be_visible()
    studio.get_by_role("button", name="Samples of weather").click()
    rows = studio.get_by_role("region", name="Samples of weather").locator("tbody tr")
    expect(rows).to_have_count(20)
    expect(rows.first).to_contain_text(re.compile("(rain|sun).*(in|out)"))
    enter(studio, "bayes")
    enter(studio, "data")
    expect(studio.get_by_label("Data", exact=True).locator("option").filter(has_text="weather-")).not_to_have_count(0)


def test_bayes_a_positive_test_of_a_rare_disease(studio: Page):
    enter(studio, "bayes")
    studio.get_by_label("test 1").select_option("positive")
    expect(studio.locator(".bars .value").first).to_have_text("15.4 %")
    studio.get_by_label("test 2").select_option("positive")
    expect(studio.locator(".bars .value").first).to_have_text("59.3 %")
    studio.get_by_label("Prior of yes").fill("0.5")
    expect(studio.locator(".bars .value").first).to_have_text("99.3 %")
    studio.get_by_role("button", name="Take back test 1 = positive").click()
    expect(studio.locator(".bars .value").first).to_have_text("88.9 %")


def test_bayes_a_table_of_ones_own(studio: Page):
    enter(studio, "bayes")
    table = b"rain,wet,count\nyes,yes,8\nyes,no,2\nno,yes,10\nno,no,80\n"
    dropped(studio, "weather.csv", table)
    studio.get_by_label("wet", exact=True).select_option("yes")
    expect(studio.locator(".bars .value").first).to_have_text("44.4 %")
    expect(studio.get_by_text("= 0.4444 × 0.1800 = 0.0800 = 0.8000 × 0.1000 =")).to_be_visible()  # p(rain, wet) = 8/100


def test_bayes_numbers_are_told_by_ranges_and_holes_are_left_out(studio: Page):
    enter(studio, "bayes")
    lines = [f"{'ab'[i // 20]},{i},{i % 7},2024-01-{i % 28 + 1:02d}" for i in range(40)]
    dropped(studio, "own.csv", "\n".join(["kind,size,age,day", *lines, "a,,3,2024-01-01"]).encode())
    expect(studio.get_by_text("left out: 1.")).to_contain_text("equally many rows: size. Left out, because of too many")
    studio.get_by_label("size", exact=True).select_option(index=1)
    expect(studio.locator(".bars .value").first).to_have_text("100.0 %")  # the ten smallest are all of kind a


def test_classifiers_a_digit_is_drawn_and_the_prior_turned(studio: Page):
    enter(studio, "classifiers")
    stroke(studio, (0.3, 0.2), (0.7, 0.2), (0.5, 0.5), (0.45, 0.9))
    expect(studio.locator(".bars").first.locator(".value.best")).not_to_have_text("0.0 %")
    expect(studio.locator(".bars").nth(1).locator(".value.best")).not_to_have_text("0.0 %")
    before = studio.locator(".bars").nth(1).locator(".value").nth(3).inner_text()
    studio.get_by_label("Class").select_option("3")
    studio.get_by_label("Turn the prior").fill("0.999")
    expect(studio.locator(".bars").nth(1).locator(".value").nth(3)).not_to_have_text(before)
    stroke(
        studio,
        (0.1, 0.1),
        (0.9, 0.9),
        (0.9, 0.1),
        (0.1, 0.9),
        (0.1, 0.1),
        (0.1, 0.5),
        (0.9, 0.5),
        (0.5, 0.1),
        (0.5, 0.9),
    )
    expect(studio.get_by_text("Unusual")).to_be_visible()


def test_latent_a_walk_by_mouse_by_keyboard_and_by_numbers(studio: Page):
    enter(studio, "latent")
    shown = "[aria-label^='The mean of']"
    expect(studio.locator(shown)).to_have_attribute("data-shown", "1")
    before = looks(studio, shown)
    stroke(studio, (0.2, 0.2), (0.8, 0.3))
    until_it_changes(studio, shown, before)
    before = looks(studio, shown)
    pad(studio).focus()
    for _ in range(6):
        studio.keyboard.press("Shift+ArrowDown")
    until_it_changes(studio, shown, before)
    before = looks(studio, shown)
    studio.get_by_label("z1", exact=True).fill("4")
    until_it_changes(studio, shown, before)
    expect(studio.locator(".pictures.line canvas")).to_have_count(9)


@pytest.mark.parametrize(("run", "sign"), [("mixture", "z is one of"), ("ppca", "z1"), ("gan", "z1")])
def test_latent_the_discrete_the_linear_and_the_implicit_case(studio: Page, run: str, sign: str):
    enter(studio, "latent")
    studio.get_by_label("Model").select_option(run)
    expect(studio.get_by_text(sign).first).to_be_visible()


def test_order_is_drawn_by_the_pen_and_put_to_the_test(studio: Page):
    enter(studio, "order")
    expect(studio.locator("tbody tr")).to_have_count(1)
    stroke(studio, (0.9, 0.1), (0.9, 0.9))
    expect(studio.locator("tbody tr")).to_have_count(3)
    expect(studio.locator("tbody")).to_contain_text("yours")
    expect(studio.locator("tbody")).to_contain_text("averaged")
    studio.get_by_label("Pixels at once").select_option("4")
    expect(studio.locator("tbody tr")).to_have_count(4)
    expect(studio.get_by_text("in 16 steps")).to_be_visible()
    values = [float(cell.replace("=", "")) for cell in studio.locator("tbody .number").all_inner_texts()]
    assert values == sorted(values)


def test_vae_up_and_down_and_the_bound_rises(studio: Page):
    enter(studio, "vae")
    expect(studio.get_by_text("log p(x), 1000 draws")).to_be_visible()
    one, many = (float(re.sub("[^0-9.]", "", studio.locator("dd").nth(i).inner_text())) for i in (2, 3))
    assert one >= many  # of -log p(x): the minus signs are left out
    mean = "[aria-label^='mean of']"
    before = looks(studio, mean)
    studio.get_by_label(re.compile("^z1, carries")).fill("5")
    until_it_changes(studio, mean, before)


def test_game_is_drawn_played_slowed_and_sabotaged(studio: Page):
    enter(studio, "game")
    studio.get_by_role("button", name="Clear").click()
    stroke(studio, (0.2, 0.5), (0.8, 0.5))
    studio.get_by_role("button", name="One step of the critic").click()
    scene = studio.locator("[data-frames]")
    expect(scene).to_have_attribute("data-step", "1")
    studio.locator("#game-play").click()
    until(studio, lambda: int(scene.get_attribute("data-step") or 0) > 20)
    studio.get_by_role("button", name="Freeze the critic").click()
    expect(studio.get_by_role("button", name="Freeze the critic")).to_have_attribute("aria-pressed", "true")
    studio.get_by_label("Play on").select_option("digits")
    studio.locator("#game-play").click()
    expect(studio.locator("[aria-label='fake 1']")).to_be_visible()
    expect(studio.get_by_text("sharpness")).to_be_visible()


def test_evidence_draws_follow_the_stroke_and_leave_what_is_seen(studio: Page):
    enter(studio, "evidence")
    studio.get_by_label("Model").select_option("mixture")
    expect(studio.get_by_text("Brush over the image")).to_be_visible()
    stroke(studio, (0.1, 0.6), (0.9, 0.6))
    expect(pad(studio)).to_have_attribute("data-draws", "8")
    expect(studio.get_by_text("draws from the model’s own p(x | seen)")).to_be_visible()
    differ = """() => { const all = [...document.querySelectorAll('[aria-label^="draw "]')].map(
        c => c.getContext('2d').getImageData(0, 0, 8, 8).data);
        const rows = new Set(); all.forEach(a => a.forEach((v, i) => { if (v !== all[0][i]) rows.add(i >> 5); }));
        return [all.length, ...rows]; }"""
    count, *rows = studio.evaluate(differ)
    assert count == 8
    assert rows
    assert set(rows) <= {3, 4, 5}
    studio.get_by_role("button", name="Undo").click()
    expect(studio.get_by_text("Brush over the image")).to_be_visible()
    studio.get_by_role("button", name="Redo").click()
    expect(studio.get_by_text("pixels hidden")).to_be_visible()
    studio.get_by_label("Question").select_option("small")
    expect(studio.get_by_text("pixels hidden")).not_to_be_visible()


def test_evidence_by_keyboard_alone(studio: Page):
    enter(studio, "evidence")
    studio.get_by_label("Model").select_option("mixture")
    pad(studio).focus()
    for key in ("1", "ArrowUp", " ", "ArrowUp", " ", "]", "["):
        studio.keyboard.press(key)
    expect(studio.get_by_text("2 pixels hidden")).to_be_visible()
    studio.keyboard.press("x")
    expect(studio.get_by_text("1 pixels hidden")).to_be_visible()
    studio.keyboard.press("Control+z")
    expect(studio.get_by_text("2 pixels hidden")).to_be_visible()


def test_evidence_in_a_row_of_a_table(studio: Page):
    enter(studio, "evidence")
    studio.get_by_label("Model").select_option("weather")
    expect(studio.get_by_text("Hide a cell")).to_be_visible()
    studio.get_by_label("Hide play").check()
    sure = studio.locator("[data-column=play]")
    expect(sure.locator(".kind")).to_have_text("=")
    expect(sure.locator(".value.best")).to_have_text(re.compile(r"^[789]\d\.\d %$"))  # nine of ten, of few rows
    studio.get_by_label("Hide heat").check()
    expect(studio.locator("[data-column=heat] .kind")).to_have_text("≈")
    expect(studio.get_by_role("region", name="Eight answers").locator("tbody tr")).to_have_count(8)
    before = sure.locator(".value").all_inner_texts()
    studio.get_by_label("sky, seen").fill("rain")
    until(studio, lambda: sure.locator(".value").all_inner_texts() != before)


def test_evidence_an_image_is_made_another_class_and_that_is_proved(studio: Page):
    enter(studio, "evidence")
    studio.get_by_role("button", name="Translate").click()
    studio.get_by_label("Model").select_option("flat-vae")
    studio.get_by_label("Make it a").select_option("3")
    expect(studio.locator("[aria-label='draw 8']")).to_be_visible()
    expect(studio.get_by_text("held-out rows of other classes for 3 after translation")).to_be_visible()
    studio.get_by_label("Model").select_option("pairs")
    expect(studio.get_by_text("nearer to its own partner")).to_be_visible()


def test_evidence_samples_are_added_and_the_gain_is_said(studio: Page):
    enter(studio, "evidence")
    studio.get_by_role("button", name="Augment").click()
    studio.get_by_label("Model").select_option("weather")
    studio.get_by_label("Samples of each class").fill("5")
    studio.get_by_role("button", name="Add, and prove it").click()
    expect(studio.locator(".verdict")).to_be_visible()
    expect(studio.get_by_role("region", name="The proof").locator("tbody tr")).to_have_count(4)
    with studio.expect_download() as caught:
        studio.get_by_role("button", name="The training set with them").click()
    assert sum(np.load(caught.value.path(), allow_pickle=False)["synthetic"]) == 10


def test_compare_says_what_to_use_and_why(studio: Page):
    enter(studio, "compare")
    if (data := studio.get_by_label("Data", exact=True)).count():  # runs of other data may have been made meanwhile
        data.select_option("digits")
    expect(studio.locator(".sheet .lead")).to_contain_text("To say how probable a row is, use", timeout=90_000)
    studio.get_by_label("Your question").select_option("latent")
    expect(studio.locator(".sheet .lead")).to_contain_text("finds the z of your own images", timeout=90_000)


def test_compare_has_the_whole_report_inside_and_as_a_file(studio: Page):
    enter(studio, "compare")
    studio.get_by_label("Data", exact=True).select_option(label="weather.csv")
    expect(studio.locator(".sheet .lead")).to_contain_text("use weather", timeout=90_000)
    studio.get_by_role("button", name="Measure everything").click()
    table = studio.get_by_role("region", name="The report of compare")
    expect(table).to_contain_text("told from real?", timeout=90_000)
    expect(table.locator("tbody tr")).to_have_count(1)
    with studio.expect_download() as caught:
        studio.get_by_text("The whole report").click()
    assert "weather" in caught.value.path().read_text("utf-8")


def test_ask_every_verb_that_asks_a_run_has_a_form(studio: Page):
    enter(studio, "ask")
    studio.get_by_label("Model").select_option("mixture")
    studio.get_by_role("button", name="Ask").click()
    answer = studio.get_by_role("region", name="Answer")
    expect(answer).to_contain_text("bits per dim")
    studio.get_by_label("Question").select_option("sample")
    studio.get_by_label("n", exact=True).fill("3")
    studio.get_by_role("button", name="Ask").click()
    expect(answer.locator("img")).to_be_visible()
    expect(answer.get_by_role("button")).to_have_text(["Keep out.npz", "Keep out.png"])  # images are no table
    with studio.expect_download() as caught:
        answer.get_by_role("button", name="Keep out.npz").click()
    with np.load(caught.value.path()) as kept:
        assert len(kept["x"]) == 3
    studio.get_by_label("n", exact=True).fill("-1")
    studio.get_by_role("button", name="Ask").click()
    expect(studio.locator(".bad")).to_contain_text("n must lie in 1")


def test_the_rooms_are_reached_by_keyboard(studio: Page):
    studio.keyboard.press("Tab")
    expect(studio.locator("#skip")).to_be_focused()
    for _ in range(3):
        studio.keyboard.press("Tab")
    studio.keyboard.press("Enter")
    expect(studio.locator("#room-bayes")).to_be_visible()
    expect(studio.locator("main")).to_be_focused()


@pytest.mark.parametrize(("scheme", "language", "widths"), [("light", "en", (1280, 768)), ("dark", "ko", (360,))])
def test_every_room_pleases_axe_fits_the_screen_and_speaks_the_language(studio: Page, scheme, language, widths):
    studio.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    studio.get_by_label("Language").select_option(language)
    expect(studio.locator("html")).to_have_attribute("lang", language)
    for room in ROOMS:
        studio.set_viewport_size({"width": widths[-1], "height": 900})
        enter(studio, room)
        for width in widths:
            studio.set_viewport_size({"width": width, "height": 900})
            assert studio.evaluate("document.documentElement.scrollWidth") <= width, (room, width)
        assert not re.search(r"\b(data|bayes|latent|order|vae|game|evidence|cells)\.[a-z]", studio.inner_text("main"))
        if language == "ko":
            expect(studio.locator("h1")).to_have_text(re.compile("[가-힣]|VAE"))
            assert not studio.evaluate(ENGLISH), room
        found = Axe().run(studio).response["violations"]
        assert not [(v["id"], [n["html"][:120] for n in v["nodes"][:3]]) for v in found], room
    studio.reload()
    expect(studio.locator("html")).to_have_attribute("lang", language)


ENGLISH = """() => { const found = [];  // sentences in English that are not marked as such
    const walk = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) { const node = walk.currentNode;
        if (/[a-z]{2,} [a-z]{2,} [a-z]{2,} [a-z]{2,}/.test(node.data) && !/[가-힣]/.test(node.data)
            && node.parentElement.closest("[lang]").lang !== "en") found.push(node.data); }
    return found; }"""


def asked_here() -> Iterator[str]:
    """What the forms of the room Ask say, and the names in the answers."""
    for schema in map(described, askable()):
        yield from (schema.name, schema.summary)
        for name, argument in schema.arguments["properties"].items():
            yield from () if name == "run" else (spaced(name), argument["description"])
        yield from map(spaced, schema.answer.get("properties", {}))


def refusals() -> Iterator[str]:
    """The sentences without a blank with which the studio itself refuses."""
    for path in Path(studio_package.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                first = node.exc.args[0]
                yield from [str(first.value)] if isinstance(first, ast.Constant) else []


def test_both_languages_say_the_same_things(server: Server):
    en, ko = (json.loads(server.request("GET", f"/text/{code}.json", token=False)[1]) for code in ("en", "ko"))
    assert en.keys() == ko.keys()
    assert not en.pop("phrases")
    assert not en.pop("sentences")
    sentences = ko.pop("sentences")
    lacking = {text for text in (*asked_here(), *refusals()) if NUMBER.sub("#", text) not in sentences}
    assert not lacking, lacking
    engines = {
        word for path in ENGINES.glob("*.py") for word in re.findall(r'^    method = "(.+)"', path.read_text(), re.M)
    }
    assert {*engines, *DETECTORS} <= ko.pop("phrases").keys()
    for key in en:
        assert set(re.findall(r"\{\w+\}", en[key])) == set(re.findall(r"\{\w+\}", ko[key])), key


@pytest.mark.parametrize("run", ["flat-vae", "mixture"])
def test_a_frozen_page_works_without_a_server(server: Server, page: Page, tmp_path, run: str):
    target, faults, asked = freeze(server.folder / run, tmp_path / "page.html"), list[str](), list[str]()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(target.as_uri())
    expect(page.locator("h1")).to_have_text(run)
    if run == "flat-vae":
        page.locator("canvas[data-at]").press("ArrowRight")
        expect(page.locator("canvas[data-at]")).to_have_attribute("data-at", "0.530,0.500")
    page.get_by_label("Paper to draw").press(" ")
    expect(page.locator(".value.best")).not_to_have_text("0.0 %")
    assert asked == [target.as_uri()]
    assert not faults
    assert not Axe().run(page).response["violations"]
