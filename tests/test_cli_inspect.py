"""``stylelab lint`` and ``stylelab verify`` in process: exit codes, sentences, JSON, and bad files among good ones.

What the rules and the hashes decide is tested in ``test_catalog_rules.py`` and ``test_catalog_provenance.py``.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml

from stylelab import cli, images
from stylelab.catalog import measures, provenance, rules
from tests.broken import CORPUS

SLOTS = [slot.name for slot in rules.slots()]
BAD = [case for case in CORPUS if case.error is not None]


class Ran(NamedTuple):
    """What a command left."""

    code: int
    out: list[str]
    err: list[str]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as left:  # argparse's own
            code = left.code
        out, err = capsys.readouterr()
        return Ran(code, out.splitlines(), [line for line in err.splitlines() if not line.startswith("note: ")])

    return run


@pytest.fixture(autouse=True)
def _no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """The detector of text is another test's."""
    monkeypatch.setattr(measures, "text_boxes", lambda rgb: [])


def put(path: Path, size: int = 1000) -> Path:
    """A photo for a shop: a box that is nine tenths of the frame, on white."""
    rgb = np.ones((size, size, 3), np.float32)
    rgb[size // 4 : -size // 4, size // 20 : -size // 20] = (0.1, 0.3, 0.6)
    return images.write(path, rgb)


def sealed(folder: Path, name: str = "a.png", **given: Any) -> Path:
    photo = images.write(folder / "photo" / "photo.jpg", np.full((20, 20, 3), 0.5, np.float32))
    rgb = np.random.default_rng(0).random((20, 20, 3))
    return provenance.seal(folder / name, rgb, source=photo, settings={"mode": "scene"}, **given)


# ---- lint ----------------------------------------------------------------------------------------


def test_lint_says_for_which_slots_a_picture_is_fit(tmp_path, command):
    good, small = put(tmp_path / "good.png"), put(tmp_path / "small.png", 600)
    ran = command("lint", good, small)
    assert ran.code == 0 and ran.err == []
    assert ran.out[:6] == [str(good), *(f"  {slot}: fit" for slot in SLOTS)]
    assert ran.out[7] == "  amazon_main: not fit. The longer side has 600 px; at least 1000 are asked for."
    assert ran.out[9] == "  google_image: fit"


def test_lint_names_what_no_pixel_tells(tmp_path, capsys):
    assert cli.main(["lint", str(put(tmp_path / "good.png")), "--slot", "amazon_main"]) == 0
    assert capsys.readouterr().err.startswith("note: not checked for amazon_main, and for a person to see: props")
    assert cli.main(["lint", str(put(tmp_path / "small.png", 100)), "--slot", "amazon_main"]) == 1
    assert capsys.readouterr().err == ""


def test_lint_fails_when_a_picture_is_fit_for_nothing(tmp_path, command):
    tiny, good = put(tmp_path / "tiny.png", 100), put(tmp_path / "good.png")
    ran = command("lint", tiny, good)
    assert ran.code == 1 and ran.err == []
    assert len(ran.out) == 12 and all("not fit" in line for line in ran.out[1:6])
    assert command("lint", good, "--slot", "amazon_main", "--slot", "google_image").out[1:] == [
        "  amazon_main: fit",
        "  google_image: fit",
    ]


def test_lint_in_json(tmp_path, command):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    ran = command("lint", "--json", put(tmp_path / "good.png"), tmp_path / "bad.png", put(tmp_path / "small.png", 600))
    good, bad, small = map(json.loads, ran.out)
    assert ran.code == 1 and len(ran.err) == 1
    assert good["slots"] == {slot: {"fit": True, "reasons": []} for slot in SLOTS} and good["error"] is None
    assert bad["file"].endswith("bad.png") and bad["slots"] == {} and "its content is not" in bad["error"]
    assert small["slots"]["amazon_main"]["reasons"] and small["slots"]["google_image"]["fit"]


def test_one_bad_file_stops_no_other(tmp_path, command):
    folder = tmp_path / "bad"
    folder.mkdir()
    files = [case.make(folder) for case in BAD]
    good = put(tmp_path / "good.png")
    for name in ("lint", "verify"):
        ran = command(name, *files, good, tmp_path / "missing.png")
        assert ran.code == 1
        told = ran.err if name == "lint" else ran.out
        for file in files:
            assert any(str(file) in line for line in told), file
        assert any(str(good) in line for line in ran.out)
        assert not any("mistake in StyleLab" in line or "Traceback" in line for line in (*ran.out, *ran.err))


def test_lint_searches_folders(tmp_path, command):
    for name in ("b.png", "sub/a.jpg", ".hidden/c.png", "b.png.mask.png", "sub/.d.png"):
        put(tmp_path / name, 600)
    (tmp_path / "b.png.txt").write_text("no picture")
    (tmp_path / "loop").symlink_to(tmp_path)
    ran = command("lint", tmp_path, "--json")
    assert [json.loads(line)["file"] for line in ran.out] == [str(tmp_path / "b.png"), str(tmp_path / "sub" / "a.jpg")]


def test_a_folder_without_pictures_is_a_failure(tmp_path, command):
    (tmp_path / "empty").mkdir()
    for name in ("lint", "verify"):
        ran = command(name, tmp_path / "empty")
        assert ran.code == 1 and "it is a folder" in "".join(ran.out + ran.err)


def test_lint_by_a_houses_own_rules(tmp_path, command):
    slot = {"title": "t", "source": "s", "date": "2026-01-02", "checks": {"aspect": {"ratio": 2.0, "tolerance": 0.1}}}
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump({"wide": slot}).replace("'", ""))
    ran = command("lint", put(tmp_path / "a.png", 100), "--rules", own)
    assert ran.code == 1 and ran.out[1:] == ["  wide: not fit. Width to height is 1.00; 2.00 is asked for."]


def test_lint_with_a_mask(tmp_path, command):
    picture = put(tmp_path / "a.png")
    images.write(tmp_path / "mask.png", np.ones((1000, 1000, 3), np.float32))
    ran = command("lint", picture, "--slot", "house_brand", "--mask", tmp_path / "mask.png")
    assert ran.code == 1 and "The margin at the left is 0 %" in ran.out[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lint"], "required: PHOTO"),
        (["lint", "a.png", "--slot", "ebay"], "No slot is called 'ebay': choose one of amazon_main"),
        (["lint", "a.png", "b.png", "--mask", "m.png"], "--mask belongs to one picture, and there are 2"),
        (["lint", "a.png", "--rules", "missing.yaml"], "The rules missing.yaml cannot be read"),
        (["verify"], "required: FILE"),
        (["verify", "a.png", "b.png", "--source", "p.jpg"], "--source belongs to one picture"),
        (["verify", "a.png", "--fast"], "unrecognized arguments: --fast"),
    ],
    ids=" ".join,
)
def test_bad_usage_is_code_2_and_one_sentence(tmp_path, monkeypatch, command, arguments, words):
    monkeypatch.chdir(tmp_path)
    ran = command(*arguments)
    assert ran.code == 2 and ran.out == []
    assert words in ran.err[-1]


# ---- verify --------------------------------------------------------------------------------------


def test_verify_says_what_differs(tmp_path, command):
    good, bad = sealed(tmp_path), sealed(tmp_path, "b.png")
    data = images.open_picture(bad)
    images.write(bad, 1 - data.rgb, xmp=provenance.xmp.packet("digitalCapture", "0" * 64, "x"))
    ran = command("verify", good, bad)
    assert ran.code == 1 and ran.err == []
    assert ran.out == [
        f"{good}: as it was sealed.",
        f"{bad}: not as it was sealed. The pixels are not those that were sealed. The file's XMP declares the source "
        "type digitalCapture, and it was sealed as compositeWithTrainedAlgorithmicMedia.",
    ]
    assert command("verify", good).code == 0


def test_verify_notes_metadata(tmp_path, command):
    path = sealed(tmp_path, "a.jpg")
    path.write_bytes(path.read_bytes() + b"a comment behind the end")
    ran = command("verify", path)
    assert ran.code == 0
    assert ran.out[0].startswith(f"{path}: as it was sealed. Metadata changed, pixels the same")


def test_verify_in_json_and_in_a_folder(tmp_path, command):
    mask = np.ones((20, 20, 1), np.float32)
    folder = tmp_path / "out"
    for name in ("a.png", "b.jpg"):
        sealed(tmp_path, f"out/{name}", mask=mask)
    images.write(folder / "c.png", np.zeros((20, 20, 3), np.float32))  # nobody sealed it
    ran = command("verify", folder, "--json")
    first, second, third = map(json.loads, ran.out)
    assert ran.code == 1
    assert first == {"file": str(folder / "a.png"), "failures": [], "notes": []}
    assert second["failures"] == [] and second["file"].endswith("b.jpg")
    assert "c.png.json cannot be read: there is no such file" in third["failures"][0]


def test_verify_against_the_photo(tmp_path, command):
    path = sealed(tmp_path)
    assert command("verify", path, "--source", tmp_path / "photo" / "photo.jpg").code == 0
    ran = command("verify", path, "--source", put(tmp_path / "other.jpg", 100))
    assert ran.code == 1 and "It was not made from" in ran.out[0]


def test_both_answer_without_tensorflow(tmp_path):
    path = put(tmp_path / "a.png")  # on white: to find a product on anything else takes a network
    code = "import sys; from stylelab import cli\n"
    code += "".join(f"cli.main([{name!r}, {str(path)!r}])\n" for name in ("lint", "verify"))
    code += "print('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False", done.stdout
