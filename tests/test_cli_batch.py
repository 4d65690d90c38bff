"""``stylelab stylize`` with several photos: which it finds, what each is written to, and what one bad file costs.

The method is a stand-in, the negative; the oracles are the corpus of broken files, the file system and Pillow.
"""

import json
import os
import sys
import types
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylelab import images, machine, samples, stylizers
from stylelab.cli import jobs
from stylelab.errors import SettingsError, WeightsError
from tests import broken
from tests.broken import CORPUS
from tests.test_cli import MASK, PAINTING, PHOTO, TINY, Negative, assert_sentence, contents, put
from tests.test_cli import canvas as canvas
from tests.test_cli import command as command
from tests.test_cli import fake as fake
from tests.test_cli import stylize as stylize

OTHER = PHOTO[::-1].copy()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Five pictures in three folders, three with one stem, among files that are none."""
    for name in ("a.png", "a.tif", "shoes/a.png", "shoes/red/b.PNG", "bags/c.png"):
        put(tmp_path / "shop" / name, PHOTO)
    (tmp_path / "shop" / "a.tif").write_bytes(broken.png(PHOTO))
    for name in ("notes.txt", "shoes/.a.png", "shoes/prices.csv", ".cache/d.png"):
        (tmp_path / "shop" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "shop" / name).write_bytes(broken.png(PHOTO))
    return tmp_path / "shop"


def written(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# ---------------------------------------------------------------- which photos, and the results' names


def test_a_folder_with_its_folders_keeps_names_and_places(shop, tmp_path, stylize):
    before = contents(shop)
    ran = stylize(shop, "-o", tmp_path / "out")
    assert ran.code == 0 and len(ran.calls) == 5
    assert written(tmp_path / "out") == {"a.png", "a.tif", "shoes/a.png", "shoes/red/b.PNG", "bags/c.png"}
    assert ran.notes == ("2 files were skipped, because their names are not those of pictures.",)
    assert ran.out.count("\n") == 5 and all(": 64x48 px in " in line for line in ran.out.splitlines())
    np.testing.assert_array_equal(images.to_uint8(images.read(tmp_path / "out" / "a.tif")), 255 - PHOTO)
    assert contents(shop) == before


def test_a_photos_result_has_the_same_name_whoever_else_is_in_the_run(shop, tmp_path, stylize):
    stylize(shop, "-o", tmp_path / "all")
    stylize(f"{shop}{os.sep}*.png", "-o", tmp_path / "some")
    assert written(tmp_path / "some") == {"a.png"} <= written(tmp_path / "all")
    stylize(shop / "a.png", "-o", f"{tmp_path / 'one'}{os.sep}")  # a folder by its slash
    assert written(tmp_path / "one") == {"a.png"}


@pytest.mark.parametrize("expanded", [True, False], ids=["by the shell", "by us"])
def test_patterns(expanded, shop, tmp_path, stylize):
    files = sorted(shop.glob("**/a.png")) if expanded else [f"{shop}/**/a.png"]
    ran = stylize(*files, "-o", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert written(tmp_path / "out") == {"a.png", "shoes/a.png"}


def test_a_pattern_takes_pictures_only_and_a_file_that_is_named_is_always_tried(shop, tmp_path, stylize):
    ran = stylize(f"{shop}/*", "-o", tmp_path / "out")
    assert ran.code == 0 and written(tmp_path / "out") == {
        "a.png", "a.tif", "shoes/a.png", "shoes/red/b.PNG", "bags/c.png",
    }  # fmt: skip
    (shop / "notes.txt").write_text("no picture")
    ran = stylize(shop / "a.png", shop / "notes.txt", "-o", tmp_path / "out")
    assert ran.code == 1 and "notes.txt" in ran.err


def test_signs_of_patterns_in_the_name_of_a_file(tmp_path, stylize):
    photo = put(tmp_path / "a[1]*.png", PHOTO)
    put(tmp_path / "a1.png", PHOTO)
    stylize(photo, "-o", tmp_path / "o.png").succeeded()
    assert stylize(photo, tmp_path / "a1.png", "-o", tmp_path / "out").code == 0
    assert written(tmp_path / "out") == {"a[1]*.png", "a1.png"}


def test_one_file_however_often_it_is_named_is_styled_once(shop, tmp_path, monkeypatch, stylize):
    monkeypatch.chdir(shop)
    ran = stylize("a.png", f"{shop}/a.png", "./shoes/../a.png", ".", "*.png", "-o", tmp_path / "out")
    assert ran.code == 0 and len(ran.calls) == 5


def test_files_of_several_folders_keep_what_tells_them_apart(shop, tmp_path, stylize):
    ran = stylize(shop / "a.png", shop / "shoes" / "a.png", shop / "bags", "-o", tmp_path / "out")
    assert ran.code == 0 and written(tmp_path / "out") == {"a.png", "shoes/a.png", "bags/c.png"}


def test_formats_that_cannot_be_written_become_png_and_keep_their_name(tmp_path, stylize):
    for suffix in ("gif", "bmp", "png"):
        with Image.fromarray(PHOTO) as picture:
            picture.save(tmp_path / f"a.{suffix}")
    assert stylize(*(tmp_path / f"a.{s}" for s in ("gif", "bmp", "png")), "-o", tmp_path / "out").code == 0
    assert written(tmp_path / "out") == {"a.gif.png", "a.bmp.png", "a.png"}


@pytest.mark.parametrize(
    "names",
    [
        ("A.png", "a.png"),
        ("Shoes/a.png", "shoes/a.png"),
        ("straße.png", "STRASSE.png"),
        (unicodedata.normalize("NFC", "ö.png"), unicodedata.normalize("NFD", "ö.png")),
        ("a.gif", "a.gif.png"),
    ],
)
def test_what_some_systems_take_for_one_name_is_written_to_two(names, tmp_path, stylize):
    for number, name in enumerate(names):
        put(tmp_path / "in" / name, np.full((16, 16, 3), number, np.uint8))
    if len(written(tmp_path / "in")) < 2:
        pytest.skip("here the two are one file")
    ran = stylize(tmp_path / "in", "-o", tmp_path / "out")
    results = written(tmp_path / "out")
    assert ran.code == 0 and len(results) == 2
    assert len({unicodedata.normalize("NFC", name).casefold() for name in results}) == 2
    assert {int(images.to_uint8(images.read(tmp_path / "out" / name)).max()) for name in results} == {254, 255}
    again = stylize(*sorted((tmp_path / "in" / name for name in names), reverse=True), "-o", tmp_path / "again")
    assert again.code == 0 and {Path(name).name for name in written(tmp_path / "again")} >= {
        Path(name).name for name in results
    }


def test_two_folders_of_the_output_that_are_one(tmp_path, stylize):
    for name in ("x/a.png", "y/a.png"):
        put(tmp_path / "in" / name, PHOTO)
    (tmp_path / "out" / "x").mkdir(parents=True)
    (tmp_path / "out" / "y").symlink_to(tmp_path / "out" / "x")
    ran = stylize(tmp_path / "in", "-o", tmp_path / "out")
    assert ran.code == 0 and len(list((tmp_path / "out" / "x").iterdir())) == 2


# ---------------------------------------------------------------- inputs are never overwritten


@pytest.mark.parametrize("others", [True, False])
def test_a_folder_is_never_written_into_itself(others, shop, tmp_path, stylize):
    before = contents(shop)
    ran = stylize(shop, *([put(tmp_path / "z.png", PHOTO)] if others else []), "-o", tmp_path if others else shop)
    ran.refused("one of the inputs")
    assert contents(shop) == before


def test_a_style_and_a_mask_are_not_overwritten_either(shop, tmp_path, stylize):
    for name, option in (("shoes/a.png", "--style"), ("bags/c.png", "--mask")):
        kept = put(tmp_path / "out" / name, MASK)
        before = contents(tmp_path)
        stylize(shop, option, kept, "-o", tmp_path / "out").refused(kept.name, "one of the inputs")
        assert contents(tmp_path) == before


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_links_in_the_output_do_not_lead_back(link, shop, tmp_path, stylize):
    (tmp_path / "out").mkdir()
    getattr(tmp_path / "out" / "a.png", link)(shop / "shoes" / "red" / "b.PNG")
    before = contents(shop)
    stylize(shop, "-o", tmp_path / "out").refused("a.png", "one of the inputs")
    assert contents(shop) == before


def test_an_output_inside_the_folder_is_not_taken_for_photos_the_second_time(shop, stylize):
    first = stylize(shop, "-o", shop / "styled")
    names = written(shop / "styled")
    first.calls.clear()
    again = stylize(shop, "-o", shop / "styled")
    assert first.code == again.code == 0 and len(again.calls) == 5
    assert written(shop / "styled") == names


# ---------------------------------------------------------------- what is refused before any work


@pytest.mark.parametrize(
    ("photos", "output", "words"),
    [
        (["shop/*.jpg"], "out", "No file matches shop/*.jpg"),
        (["shop/a.png", "shop/*.jpg"], "out", "No file matches"),
        (["empty"], "out", "No pictures in empty"),
        (["shop"], "out.png", "out.png names one file"),
        (["shop/a.png", "shop/a.tif"], "out.png", "names one file"),
        (["shop"], "shop/notes.txt", "not a folder"),
        (["shop"], "shop/notes.txt/out", "not a folder"),
        (["shop"], "", "empty"),
        (["shop"], "x" * 300, "too long"),
        (["shop/a.png"], "shop", "choose one of them"),
        (["shop", "--strength", "2"], "out", "Strength must be from 0"),
        (["shop", "--size", "2"], "out", "at least 16 px"),
        (["shop", "--style", "hokusai_great_wav"], "out", "did you mean"),
        (["shop", "--mask", "shop/missing.png"], "out", "no such file"),
        (["shop", "--steps", "5", "--method", "settled"], "out", "no setting 'steps'"),
        (["shop", "--method", "magic"], "out", "'magic' is not known"),
    ],
)
def test_mistakes_that_are_no_single_photos(photos, output, words, shop, tmp_path, monkeypatch, command, canvas):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    before = written(tmp_path)
    photos = [*photos, *(["--style", canvas] if "--style" not in photos else [])]
    photos = photos if "--method" in photos else [*photos, "--method", "negative"]
    command("stylize", *photos, "-o", output).refused(words)
    assert written(tmp_path) == before


def test_a_folder_that_cannot_be_searched(public_folder):
    """As a user who is not root."""
    locked = public_folder / "shop" / "locked"
    put(public_folder / "shop" / "a.png", PHOTO)
    locked.mkdir()
    locked.chmod(0)
    (public_folder / "out").mkdir()
    (public_folder / "out").chmod(0o777)
    script = """
from stylelab.cli import jobs  # before: nobody may lack the right to read Python's own modules
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    jobs.plan([sys.argv[1]], sys.argv[2])
except ImageError as error:
    print(error)
"""
    ran = broken.in_process(script, public_folder / "shop", public_folder / "out")
    locked.chmod(0o755)
    assert "shop cannot be searched: permission denied" in ran.stdout, ran.stderr


def test_names_that_stay_alike_are_refused(tmp_path, monkeypatch):
    """Digits that are alike, too, come up once in four thousand million pairs; here always."""
    put(tmp_path / "in" / "A.png", PHOTO)
    put(tmp_path / "in" / "a.png", PHOTO)
    monkeypatch.setattr(jobs.os, "fsencode", lambda name: b"same")
    with pytest.raises(SettingsError, match="one file"):
        jobs.plan([str(tmp_path / "in")], str(tmp_path / "out"))


# ---------------------------------------------------------------- one bad file never stops the batch


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("quiet", [False, True], ids=["lines", "json"])
def test_the_whole_corpus_in_one_run(quiet, tmp_path, stylize):
    """Every file that can be used is styled, every other one told of in a sentence."""
    files = {}
    for number, case in enumerate(CORPUS):
        folder = tmp_path / "in" / str(number)
        folder.mkdir(parents=True)
        files[case.make(folder)] = case
    files = {file: case for file, case in files.items() if not os.path.isdir(file)}  # noqa: PTH112
    ran = stylize(*files, "-o", tmp_path / "out", *(["--json"] if quiet else []))
    bad = [file for file, case in files.items() if case.error is not None or case.name in TINY]
    assert ran.code == 1
    assert len(ran.calls) == len(files) - len(bad) == len(written(tmp_path / "out"))
    told = [line for line in ran.err.splitlines(keepends=True) if line.startswith("stylelab: ")]
    assert told.pop() == f"stylelab: {len(bad)} of {len(files)} photos failed.\n"
    assert len(told) == len(bad)
    for line in told:
        assert_sentence(line)
    for file in bad:
        assert sum(str(file) in line for line in told) == 1, file
        for words in files[file].error or ("16 px",):
            assert any(words in line for line in told if str(file) in line)
    if not quiet:
        assert ran.out.count("\n") == len(files) - len(bad)
        return
    records = [json.loads(line) for line in ran.out.splitlines()]
    assert sorted(record["input"] for record in records) == sorted(map(str, files))
    for record in records:
        assert (record["error"] is not None) == (record["output"] is None) == (Path(record["input"]) in bad)
        if record["error"] is None:
            with Image.open(record["output"]) as image:
                assert image.size == (record["width"], record["height"])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "memory ran out; choose a smaller --size"),
        (WeightsError("The weights w are damaged: restore them."), "damaged"),
        (ZeroDivisionError("a bug"), "mistake in StyleLab (ZeroDivisionError: a bug)"),
    ],
)
def test_a_photo_that_the_method_fails_on_does_not_stop_the_others(error, words, tmp_path, monkeypatch, stylize):
    for name in ("a", "b", "c"):
        put(tmp_path / "in" / f"{name}.png", np.full((16, 16, 3), 255 * (name == "b"), np.uint8))
    works = Negative._stylize

    def fails(self, content, style, **settings):
        if content.min() == 1:
            raise error
        return works(self, content, style, **settings)

    monkeypatch.setattr(Negative, "_stylize", fails)
    ran = stylize(tmp_path / "in", "-o", tmp_path / "out")
    assert ran.code == 1 and written(tmp_path / "out") == {"a.png", "c.png"}
    failure, summary = ran.err.splitlines(keepends=True)
    assert_sentence(failure, "b.png", words)
    assert summary == "stylelab: 1 of 3 photos failed.\n"


def test_ctrl_c_keeps_what_is_finished(shop, tmp_path, monkeypatch, stylize):
    works = Negative._stylize

    def interrupted(self, content, style, **settings):
        if len(self.calls) == 2:
            raise KeyboardInterrupt
        return works(self, content, style, **settings)

    monkeypatch.setattr(Negative, "_stylize", interrupted)
    ran = stylize(shop, "-o", tmp_path / "out", "--json")
    assert ran.code == 130 and "stopped" in ran.err and "kept" in ran.err
    finished = [json.loads(line)["output"] for line in ran.out.splitlines()]
    assert len(finished) == 2
    assert {Path(name) for name in finished} == {tmp_path / "out" / name for name in written(tmp_path / "out")}
    for name in finished:
        np.testing.assert_array_equal(images.to_uint8(images.read(name)), 255 - PHOTO)


def test_a_mask_for_all_and_alpha_of_each(tmp_path, stylize):
    mask = put(tmp_path / "mask.png", MASK)
    for name, pixels in (("a", PHOTO), ("b", OTHER), ("small", PHOTO[:20])):
        put(tmp_path / "in" / f"{name}.png", pixels)
    ran = stylize(tmp_path / "in", "--mask", mask, "-o", tmp_path / "out")
    assert ran.code == 1 and written(tmp_path / "out") == {"a.png", "b.png"}
    assert "small.png" in ran.err and "64 x 20 px" in ran.err
    for name, pixels in (("a", PHOTO), ("b", OTHER)):
        result = images.to_uint8(images.read(tmp_path / "out" / f"{name}.png"))
        np.testing.assert_array_equal(result[10:38, 12:48], pixels[10:38, 12:48])
        np.testing.assert_array_equal(result[:8], 255 - pixels[:8])
    put(tmp_path / "in" / "a.png", np.dstack([PHOTO, MASK]))
    ran = stylize(tmp_path / "in", "--mask", "alpha", "-o", tmp_path / "alpha")
    assert ran.code == 1 and written(tmp_path / "alpha") == {"a.png"} and ran.err.count("has no alpha") == 2


# ---------------------------------------------------------------- one line of JSON per photo


def test_json_of_one_photo(tmp_path, stylize):
    photo, output = put(tmp_path / "p.png", PHOTO), tmp_path / "o.png"
    ran = stylize(photo, "-o", output, "--size", 32, "--json")
    assert ran.code == 0 and ran.err == "" and ran.out.count("\n") == 1
    record = json.loads(ran.out)
    assert record.pop("seconds") >= 0 and record.pop("content_distance") > 0
    assert record == {
        "input": str(photo), "output": str(output), "width": 32, "height": 24, "method": "negative",
        "style": "canvas", "error": None, "style_distance": [0.064],
    }  # fmt: skip


def test_json_of_one_photo_that_fails(tmp_path, stylize):
    ran = stylize(tmp_path / "missing.png", "-o", tmp_path / "o.png", "--json")
    assert ran.code == 2
    record = json.loads(ran.out)
    assert record["output"] is None and record["input"] == str(tmp_path / "missing.png")
    assert ran.err == f"stylelab: {record['error']}\n"
    assert_sentence(ran.err, "missing.png", "no such file")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such a name")
def test_json_of_a_name_that_is_no_utf8(tmp_path, stylize):
    ran = stylize(put(tmp_path / "\udcff.png", PHOTO), "-o", tmp_path / "\udcfe.png", "--json")
    assert json.loads(ran.out.encode("ascii"))["output"] == str(tmp_path / "\udcfe.png")


# ---------------------------------------------------------------- method, network, engine, white


class Fast(Negative):
    """A stand-in for the fast network: it says what it was made of, and knows names only."""

    made: list[dict[str, object]] = []  # noqa: RUF012

    def __init__(self, weights: str | None = None, engine: str = "auto"):
        super().__init__()
        self.made.append({"weights": weights, "engine": engine})

    def memory_needed(self, height, width):
        return height * width

    def _resolve(self, style):
        assert not style.pictures, "no painting need be read"
        return style


@pytest.fixture
def methods(monkeypatch):
    monkeypatch.setattr(Fast, "made", [])
    for method, kind in (("fast", "Fast"), ("any", "Settled"), ("optimize", "Negative")):
        module = __name__ if kind == "Fast" else "tests.test_cli"
        monkeypatch.setitem(stylizers._METHODS, method, (module, kind))
    return Fast.made


def method_of(ran):
    assert ran.code == 0, ran.err
    return json.loads(ran.out)["method"]


@pytest.mark.parametrize(
    ("styles", "method"),
    [
        ([PAINTING], "fast"),
        ([f"styles/{PAINTING}", "vangogh_night_cafe"], "fast"),
        (["canvas.png"], "any"),
        ([PAINTING, "canvas.png"], "any"),
    ],
)
def test_the_method_that_fits_the_styles(styles, method, tmp_path, monkeypatch, methods, command):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "canvas.png", MASK)
    arguments = [word for style in styles for word in ("--style", style)]
    one = ["stylize", put(tmp_path / "p.png", PHOTO), *arguments, "-o", "o.png", "--json"]
    ran = command(*one)
    assert method_of(ran) == method
    assert ran.calls[-1].style.names == tuple("" if "." in s else s.removeprefix("styles/") for s in styles)
    assert "style_distance" not in json.loads(ran.out)
    assert method_of(command(*one, "--method", "optimize", "--steps", 3)) == "optimize"
    assert len(json.loads(command(*one, "--distances").out)["style_distance"]) == len(styles)


def test_one_network_is_loaded_for_all_photos(shop, tmp_path, methods, command):
    ran = command("stylize", shop, "--style", PAINTING, "--engine", "openvino", "-o", tmp_path / "out")
    assert ran.code == 0 and len(ran.calls) == 5
    assert methods == [{"weights": None, "engine": "openvino"}]


def test_a_network_of_ones_own_has_its_own_names(tmp_path, methods, command):
    photo = put(tmp_path / "p.png", PHOTO)
    one = ["stylize", photo, "--network", "net.weights.h5", "--style", "my.painting", "-o", tmp_path / "o.png"]
    ran = command(*one, "--json")
    assert method_of(ran) == "fast" and methods[-1]["weights"] == "net.weights.h5"
    assert ran.calls[-1].style.names == ("my.painting",)
    ran = command(*one, "--distances")  # no painting is known for this name
    assert ran.code == 0 and "no distances" in ran.err and "my.painting" in ran.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--style", PAINTING, "--steps", "5"], "One pass has no steps; leave --steps away"),
        (["--style", "canvas.png", "--method", "fast"], "knows the shipped paintings only, not canvas.png"),
        (["--style", PAINTING, "--network", "n.weights.h5", "--method", "any"], "--network is for the method fast"),
        (["--style", "canvas.png", "--engine", "openvino"], "'any' has no setting 'engine'"),
        (["--style", PAINTING, "--weights", "1", "2"], "1 pictures and 2 weights"),
        (["--style", "canvas.png", "--tile", "512"], "--tile is for the method fast, not for any"),
    ],
)
def test_options_that_do_not_go_together(arguments, words, tmp_path, monkeypatch, methods, command):
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "canvas.png", MASK)
    command("stylize", put(tmp_path / "p.png", PHOTO), *arguments, "-o", "o.png").refused(words)


def test_tiles_are_made_of_the_fast_network(tmp_path, monkeypatch, methods, command):
    class Tiled(stylizers.Wrapper):
        def __init__(self, stylizer, tile):
            super().__init__(stylizer)
            self.tile = tile

        def _stylize(self, content, style, **settings):
            return np.full_like(content, self.tile / 1000)

    monkeypatch.setitem(sys.modules, "stylelab.tiling", types.SimpleNamespace(Tiled=Tiled))
    photo, output = put(tmp_path / "p.png", PHOTO), tmp_path / "o.png"
    assert command("stylize", photo, "--style", PAINTING, "--tile", 500, "-o", output).code == 0
    assert (images.to_uint8(images.read(output)) == round(0.5 * 255)).all()


@pytest.mark.parametrize(("free", "tiled"), [(10**6, False), (10**6 - 1, True)])
def test_what_memory_does_not_hold_is_painted_in_tiles(tmp_path, monkeypatch, methods, command, free, tiled):
    class Tiled(stylizers.Wrapper):
        def _stylize(self, content, style, **settings):
            return np.zeros_like(content)

    monkeypatch.setitem(sys.modules, "stylelab.tiling", types.SimpleNamespace(Tiled=Tiled))
    monkeypatch.setattr(Fast, "memory_needed", lambda self, height, width: 10**6)
    monkeypatch.setattr(machine, "memory_available", lambda: free)
    photo, output = put(tmp_path / "p.png", PHOTO), tmp_path / "o.png"
    ran = command("stylize", photo, "--style", PAINTING, "-o", output)
    assert ran.code == 0
    assert (images.to_uint8(images.read(output)) == 0).all() == tiled
    assert ("p.png: painted in tiles, since 64x48 px at once need 0.0 GB of memory." in ran.err) == tiled


def test_white_is_kept(tmp_path, stylize):
    pixels = PHOTO // 2
    pixels[:, :20] = 250
    photo, output = put(tmp_path / "p.png", pixels), tmp_path / "o.png"
    for options, expected in (([], 5), (["--keep-white"], 250)):
        stylize(photo, "-o", output, *options).succeeded()
        result = images.to_uint8(images.read(output))
        assert (result[:, :20] == expected).all()
        np.testing.assert_array_equal(result[:, 20:], 255 - pixels[:, 20:])


def test_notes_of_style_and_mask_files_are_told(tmp_path, stylize):
    frames = [Image.fromarray(x) for x in (MASK, 255 - MASK, MASK)]
    for name in ("style.gif", "mask.gif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    photo = put(tmp_path / "p.png", PHOTO)
    ran = stylize(photo, "--style", tmp_path / "style.gif", "--mask", tmp_path / "mask.gif", "-o", tmp_path / "o.png")
    ran.succeeded("style.gif: animation of 3 frames", "mask.gif: animation of 3 frames")


def test_a_cut_out_that_is_made_smaller_keeps_its_edge_free_of_white(tmp_path, stylize):
    """Straight alpha: what is hidden may not run into what is seen. Every visible pixel is black here."""
    cut = np.zeros((64, 64, 4), np.uint8)
    rows, columns = np.mgrid[:64, :64]
    cut[..., 3] = 255 * (np.hypot(rows - 31.5, columns - 31.5) < 25)
    ran = stylize(put(tmp_path / "p.png", cut), "--size", 20, "-o", tmp_path / "o.png")
    alpha = images.open_picture(tmp_path / "o.png").alpha[..., 0]
    seen = alpha > 0.1
    assert 0 < (seen & (alpha < 0.9)).sum() < seen.sum()
    assert ran.calls[0].content[0][seen].max() < 0.1
    assert (ran.calls[0].content[0][alpha == 0] > 0.9).any()  # and white around it is what the method sees


# ---------------------------------------------------------------- the shipped networks


@pytest.mark.weights
def test_the_shipped_network_styles_a_folder(tmp_path, command, monkeypatch):
    monkeypatch.undo()  # real distances
    for name in ("sneaker_knit", "orchid"):
        images.write(tmp_path / "in" / f"{name}.jpg", images.resize(samples.load(name), 96))
    ran = command("stylize", tmp_path / "in", "--style", PAINTING, "-o", tmp_path / "out", "--json", "--distances")
    assert ran.code == 0, ran.err
    for line in ran.out.splitlines():
        record = json.loads(line)
        photo, painting = images.read(record["input"]), samples.load(PAINTING)
        from stylelab import metrics

        assert record["method"] == "fast" and record["style"] == PAINTING
        assert record["style_distance"][0] < metrics.style_distance(photo, painting)
