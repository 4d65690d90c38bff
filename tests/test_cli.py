"""The ``stylelab`` command, in process, on a method without a network: files, outputs, options, failures.

Each run must end in the right picture or in one sentence, and must leave every other file as it was. Oracles: the
corpus of broken files with its own checks, Pillow, and the negative, which anyone can compute. The tests marked
``weights`` run the real method.
"""

import dataclasses
import io
import itertools
import json
import os
import re
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import minimum_filter

from stylelab import cli, images, metrics, samples, stylizers
from stylelab.backend import tf
from stylelab.cli import demo
from stylelab.errors import ImageError, WeightsError
from tests import broken
from tests.broken import CORPUS

PAINTING = "hokusai_great_wave"
RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (48, 64, 3)).astype(np.uint8)
DEEP_PHOTO = RNG.integers(0, 65536, (48, 64, 3)).astype(np.uint16)
MASK = np.zeros((48, 64), np.uint8)
MASK[8:40, 10:50] = 255
CORE = np.s_[10:38, 12:48]  # without the two pixels of soft edge
BACKGROUND = np.s_[:8]
GOOD, BAD = ([case for case in CORPUS if (case.error is None) == good] for good in (True, False))
TINY = {"1x1.png": (1, 1), "1x4000.png": (1, 4000), "20000_wide.png": (20_000, 9)}  # width, height
named = pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)


class Negative(stylizers.Stylizer):
    """A stand-in for a method: the negative. It writes down what it was given."""

    calls: list[types.SimpleNamespace] = []  # noqa: RUF012
    error: BaseException | None = None
    dtype = "float32"

    def __init__(self, steps: int = 7, first_size: int | None = None):
        self.steps = steps

    def _stylize(self, content, style, *, strength, seed, callback, regions):
        given = types.SimpleNamespace(content=content, style=style, strength=strength, seed=seed, steps=self.steps)
        self.calls.append(given)
        for step in (1, 2) if callback else ():
            callback(types.SimpleNamespace(step=step, steps=2, size=content.shape[1:3], loss=0.5))
        if self.error:
            raise self.error
        return 1 - content


class Settled(Negative):
    """A method without settings."""

    def __init__(self):
        super().__init__()


@dataclasses.dataclass(frozen=True)
class Ran:
    """What a command left: its exit code, what it printed, and the methods' calls."""

    code: int
    out: str
    err: str
    calls: list[types.SimpleNamespace]

    def refused(self, *words: str) -> None:
        """One sentence with these words, and no work done."""
        assert self.code == 2
        assert self.out == "" and self.calls == []
        assert_sentence(self.err, *words)

    def succeeded(self, *notes: str) -> None:
        """One line, and no more on stderr than notes with these words."""
        assert self.code == 0, self.err
        assert self.out.count("\n") == 1
        assert len(self.notes) == len(notes)
        for words, note in zip(notes, self.notes, strict=True):
            assert words in note

    @property
    def notes(self) -> tuple[str, ...]:
        assert all(line.startswith("note: ") for line in self.err.splitlines()), self.err
        return tuple(line.removeprefix("note: ") for line in self.err.splitlines())


def assert_sentence(err: str, *words: str) -> None:
    sentence = err.removeprefix("stylelab: ").removesuffix("\n")
    assert err == f"stylelab: {sentence}\n"
    assert sentence[-1] in ".?" and "\n" not in sentence and ". " not in sentence and len(sentence) < 600, sentence
    for word in words:
        assert word in sentence


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> type[Negative]:
    """The methods "negative" and "settled", and distances that need no network."""
    monkeypatch.setattr(Negative, "calls", [])
    monkeypatch.setattr(Negative, "error", None)
    methods = {"negative": (__name__, "Negative"), "settled": (__name__, "Settled")}
    monkeypatch.setattr(stylizers, "_METHODS", {**stylizers._METHODS, **methods})
    monkeypatch.setattr(metrics, "style_distance", lambda image, style, size=384: style.shape[1] / 1000)
    monkeypatch.setattr(metrics, "content_distance", lambda a, b, size=384: float(np.abs(a - b).mean()))
    return Negative


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs the command; what it printed before is forgotten."""

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        code = cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Ran(code, out, err, Negative.calls)

    return run


@pytest.fixture(scope="session")
def canvas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A style picture that is read in no time."""
    return put(tmp_path_factory.mktemp("style") / "canvas.png", MASK)


@pytest.fixture
def stylize(command: Callable[..., Ran], canvas: Path) -> Callable[..., Ran]:
    """Runs ``stylelab stylize`` with the negative; a style is given unless one is among the arguments."""

    def run(*arguments: object, style: object = canvas, method: str = "negative") -> Ran:
        style = [] if style is None or "--style" in arguments else ["--style", style]
        return command("stylize", *arguments, *style, "--method", method)

    return run


def put(path: Path, pixels: np.ndarray) -> Path:
    """A PNG of these integers, not written by StyleLab."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(broken.png(pixels if pixels.ndim == 3 else pixels[..., None]))
    return path


def levels(path: Path) -> np.ndarray:
    """The integers in a picture file."""
    if path.read_bytes()[24] == 16 and path.suffix == ".png":
        return tf.io.decode_png(path.read_bytes(), dtype=tf.uint16).numpy()
    with Image.open(path) as image:
        return np.asarray(image)


def contents(folder: Path) -> dict[str, object]:
    """Every file of a folder with its bytes; of what is no file, its kind."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else path.lstat().st_mode
        for path in folder.rglob("*")
    }


# ---------------------------------------------------------------- every file of the corpus in every role


@pytest.mark.filterwarnings("error")  # Python's warnings would reach the reader
@pytest.mark.parametrize("role", ["photo", "style", "mask"])
@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name[:40])
def test_a_file_that_cannot_be_used(case, role, tmp_path, stylize):
    file, photo, output = case.make(tmp_path), put(tmp_path / "p.png", broken.RGB), tmp_path / "old.jpg"
    output.write_bytes(b"old")
    if role == "photo" and case.name == "folder.jpg":
        stylize(file, "-o", output).refused("old.jpg names one file", "-o DIR")
        return
    before = contents(tmp_path)
    arguments = {"photo": [file], "style": [photo, "--style", file], "mask": [photo, "--mask", file]}[role]
    stylize(*arguments, "-o", output).refused(case.name, *case.error)
    assert contents(tmp_path) == before
    stylize(*arguments, "-o", tmp_path / "new" / "out.png").refused(case.name, *case.error)
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.filterwarnings("error")
@named
def test_an_unusual_photo(case, tmp_path, stylize):
    photo, output = case.make(tmp_path), tmp_path / "new" / "out.png"
    before = contents(tmp_path)
    ran = stylize(photo, "-o", output)
    assert before.items() <= contents(tmp_path).items()
    if case.name in TINY:
        width, height = TINY[case.name]
        ran.refused(case.name, f"{width}x{height} px", "at least 16 px")
        assert list(output.parent.iterdir()) == []
        return
    ran.succeeded(*ran.notes)
    assert list(output.parent.iterdir()) == [output]
    result, original = images.open_picture(output), images.open_picture(photo)
    assert result.rgb.shape == original.rgb.shape
    # The negative of the negative is the photo, and the corpus knows how that must look.
    rgb = 1 - result.rgb
    if original.alpha is not None:
        hidden = (original.alpha == 0)[..., 0]
        assert (rgb[hidden] == 1).all()  # a color that nobody sees may not lend itself to the style
        rgb[hidden] = original.rgb[hidden]
    case.check(dataclasses.replace(result, rgb=rgb, notes=ran.notes))


@pytest.mark.filterwarnings("error")
@named
def test_an_unusual_style(case, tmp_path, stylize):
    style, photo, output = case.make(tmp_path), put(tmp_path / "p.png", broken.RGB), tmp_path / "new" / "out.png"
    before = contents(tmp_path)
    ran = stylize(photo, "--style", style, "-o", output)
    ran.succeeded(*ran.notes)
    np.testing.assert_array_equal(levels(output), 255 - broken.RGB)
    assert before.items() <= contents(tmp_path).items()
    assert list(output.parent.iterdir()) == [output]
    (picture,), original = ran.calls[0].style.pictures, images.open_picture(style)
    if original.alpha is None:
        case.check(dataclasses.replace(original, rgb=picture))
    else:  # laid over white
        np.testing.assert_allclose(picture, original.rgb * original.alpha + 1 - original.alpha, atol=1e-6)


@pytest.mark.filterwarnings("error")
@named
def test_an_unusual_mask(case, tmp_path, stylize):
    mask, photo, output = case.make(tmp_path), put(tmp_path / "p.png", broken.RGB), tmp_path / "new" / "out.png"
    before = contents(tmp_path)
    ran = stylize(photo, "--mask", mask, "-o", output)
    assert before.items() <= contents(tmp_path).items()
    if case.name in TINY:
        width, height = TINY[case.name]
        ran.refused(case.name, f"{width} x {height} px", "32 x 24 px")
        assert list(output.parent.iterdir()) == []
        return
    ran.succeeded(*ran.notes)
    assert list(output.parent.iterdir()) == [output]
    original = images.open_picture(mask)
    product = original.rgb @ [0.299, 0.587, 0.114] >= 0.5
    if original.alpha is not None:  # laid over black
        product = (original.rgb @ [0.299, 0.587, 0.114]) * original.alpha[..., 0] >= 0.5
    core = minimum_filter(product, 5, mode="nearest")
    result = levels(output)
    np.testing.assert_array_equal(result[core], broken.RGB[core])
    np.testing.assert_array_equal(result[~product], 255 - broken.RGB[~product])


# ---------------------------------------------------------------- outputs


@pytest.mark.parametrize("suffix", [*images.SUFFIXES, ".PNG"])
def test_every_format_into_a_folder_that_is_made(suffix, tmp_path, stylize):
    photo, output = put(tmp_path / "p.png", broken.RGB), tmp_path / "new" / "deep er" / f"out{suffix}"
    ran = stylize(photo, "-o", output)
    ran.succeeded()
    assert ran.out.startswith(f"{output}: 32x24 px in ")
    assert list(output.parent.iterdir()) == [output]
    with Image.open(output) as image:
        kind = suffix.lower().removeprefix(".").replace("jpg", "jpeg")
        assert image.format.lower() in (kind, kind + "f")  # tif is tiff
    lossless = suffix.lower() in (".png", ".tif", ".tiff")
    assert np.abs(levels(output).astype(int) - (255 - broken.RGB.astype(int))).max() <= (0 if lossless else 12)


def test_an_old_output_is_replaced(tmp_path, stylize):
    photo, output = put(tmp_path / "p.png", PHOTO), tmp_path / "out.png"
    output.write_bytes(b"old")
    stylize(photo, "-o", output).succeeded()
    np.testing.assert_array_equal(levels(output), 255 - PHOTO)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("out", "choose one of them"),
        ("out.gif", ".png, .jpg"),
        ("out.png.txt", "choose one of them"),
        ("folder.png", "is a folder"),
        ("folder.png/.", "is a folder"),
        ("p.png/out.png", "not a folder"),
        ("x" * 300 + ".png", "too long"),
        ("", "empty"),
    ],
)
def test_outputs_that_cannot_be(name, words, tmp_path, monkeypatch, stylize):
    monkeypatch.chdir(tmp_path)
    photo = put(tmp_path / "p.png", PHOTO)
    (tmp_path / "folder.png").mkdir()
    before = contents(tmp_path)
    stylize(photo, "-o", name).refused(words)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("role", "spelling"),
    [
        *itertools.product(("photo", "style", "second", "mask"), ("same", "dot", "symlink", "hard link", "relative")),
        ("painting", "symlink"),
    ],
)
def test_an_output_that_is_an_input(role, spelling, tmp_path, monkeypatch, stylize):
    monkeypatch.chdir(tmp_path)
    photo, style, second, mask = (put(tmp_path / f"{name}.png", MASK) for name in ("photo", "style", "second", "mask"))
    # The painting that ships is put at risk through a link only: should the link be replaced, the painting survives.
    lost = samples.path(PAINTING) if role == "painting" else tmp_path / f"{role}.png"
    output = {
        "same": lost,
        "dot": f"{tmp_path}/../{tmp_path.name}/./{lost.name}",
        "symlink": tmp_path / f"symlink{lost.suffix}",
        "hard link": tmp_path / "hard.png",
        "relative": lost.name,
    }[spelling]
    if spelling == "symlink":
        output.symlink_to(lost)
    elif spelling == "hard link":
        output.hardlink_to(lost)
    before = contents(tmp_path)
    ran = stylize(photo, "--style", style, "--style", second, "--style", PAINTING, "--mask", mask, "-o", output)
    ran.refused(Path(output).name, "one of the inputs")
    assert contents(tmp_path) == before


# A process of its own with the negative and without TensorFlow, for what cannot be done to this one.
ALONE = """
import json, types
from PIL import Image
from stylelab import cli, stylizers

class Negative(stylizers.Stylizer):
    def _stylize(self, content, style, **_):
        print("worked")
        return 1 - content

stylizers._METHODS["negative"] = ("__main__", "Negative")
sys.modules["stylelab.metrics"] = types.SimpleNamespace(style_distance=lambda *_: 0, content_distance=lambda *_: 0)
sys.modules["stylelab.training"] = types.SimpleNamespace(Progress=str)
Image.init()
"""


def test_a_really_full_disk(tmp_path):
    """The system itself refuses the bytes: a limit on a file's size acts like a disk that fills up."""
    photo, old = put(tmp_path / "p.png", PHOTO), tmp_path / "old.png"
    old.write_bytes(b"old")
    before = contents(tmp_path)
    script = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
for output in sys.argv[2:]:
    print(cli.main(["stylize", sys.argv[1], "--style", sys.argv[1], "--method", "negative", "-o", output]))
"""
    ran = broken.in_process(ALONE + script, photo, old, tmp_path / "new.png")
    assert ran.stdout.split() == ["worked", "2"] * 2
    for line, name in zip(ran.stderr.splitlines(keepends=True), ("old.png", "new.png"), strict=True):
        assert_sentence(line, name, "larger than this system allows")
    assert contents(tmp_path) == before


def test_what_the_user_may_not_do(public_folder):
    photo, secret = put(public_folder / "p.png", PHOTO), put(public_folder / "secret.png", PHOTO)
    hidden, locked, free = (public_folder / name for name in ("hidden", "locked", "free"))
    inside = put(hidden / "inside.png", PHOTO)
    locked.mkdir()
    free.mkdir()
    old = put(free / "old.png", PHOTO)
    for path, mode in ((secret, 0), (hidden, 0), (locked, 0o555), (free, 0o777), (old, 0o444)):
        path.chmod(mode)
    runs = {
        "as who may": [photo, "--style", photo, "-o", free / "new.png"],  # loads what nobody may lack the right to
        "locked/out.png": [photo, "--style", photo, "-o", locked / "out.png"],
        "locked/new": [photo, "--style", photo, "-o", locked / "new" / "out.png"],
        "old.png": [photo, "--style", photo, "-o", old],
        "secret.png cannot be read": [secret, "--style", photo, "-o", free / "out.png"],
        "inside.png cannot be read": [photo, "--style", inside, "-o", free / "out.png"],
        "hidden/inside.png cannot be read": [photo, "--style", photo, "--mask", inside, "-o", free / "out.png"],
    }
    script = """
for arguments in json.loads(sys.argv[1]):
    print(cli.main(["stylize", *arguments, "--method", "negative"]))
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
"""
    ran = broken.in_process(ALONE + script, json.dumps([[str(a) for a in run] for run in runs.values()]))
    hidden.chmod(0o755)  # so that it can be removed by whoever runs this
    assert [line for line in ran.stdout.splitlines() if len(line) == 1] == ["0"] + ["2"] * (len(runs) - 1), ran.stderr
    for line, words in zip(ran.stderr.splitlines(keepends=True), [*runs][1:], strict=True):
        assert_sentence(line, words, "permission denied")
    assert ran.stdout.count("worked") == 1
    assert {path.name for path in free.iterdir()} == {"old.png", "new.png"} and list(locked.iterdir()) == []
    np.testing.assert_array_equal(levels(old), PHOTO)


# ---------------------------------------------------------------- styles and the method's settings


def test_no_style(tmp_path, stylize):
    stylize(put(tmp_path / "p.png", PHOTO), "-o", tmp_path / "o.png", style=None).refused("No style", "stylelab styles")


@pytest.mark.parametrize(
    ("style", "words"),
    [
        ("hokusai_great_wav", "did you mean hokusai_great_wave?"),
        ("styles/hokusai_great_wav", "did you mean hokusai_great_wave?"),
        ("zzz", "'zzz'"),
        ("n" * 300, "stylelab styles"),
        ("", "''"),
        ("hokusai_great_wave.jpg", "no such file"),
        ("a\0b.png", "null"),
        ("a\0b", "stylelab styles"),
    ],
)
def test_unknown_styles(style, words, tmp_path, stylize):
    stylize(put(tmp_path / "p.png", PHOTO), "-o", tmp_path / "o.png", style=style).refused(words)
    assert [path.name for path in tmp_path.iterdir()] == ["p.png"]


def test_several_styles_with_and_without_weights(tmp_path, stylize):
    photo, own = put(tmp_path / "p.png", PHOTO), put(tmp_path / "own.png", MASK)
    styles = ["--style", f"styles/{PAINTING}", "--style", own]
    ran = stylize(photo, *styles, "-o", tmp_path / "o.png")
    ran.succeeded()
    width = samples.load(PAINTING).shape[1]
    assert f"style distance {width / 1000:.3f}, 0.064, content distance 0." in ran.out
    stylize(photo, *styles, "--weights", 3, "0.5", "-o", tmp_path / "o.png").succeeded()
    plain, weighted = (call.style for call in ran.calls)
    assert plain.weights == (1.0, 1.0) and weighted.weights == (3.0, 0.5)
    assert plain.name == f"{PAINTING} + own"
    np.testing.assert_array_equal(plain.pictures[0], samples.load(PAINTING))
    np.testing.assert_array_equal(plain.pictures[1][..., 0], MASK / np.float32(255))


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (["1"], "2 pictures and 1 weights"),
        (["1", "2", "3"], "2 pictures and 3 weights"),
        (["1", "-1"], "positive"),
        (["1", "0"], "positive"),
        (["nan", "1"], "positive"),
        (["1", "inf"], "positive"),
    ],
)
def test_weights_that_do_not_fit(weights, words, tmp_path, stylize):
    styles = ["--style", PAINTING, "--style", "vangogh_night_cafe"]
    photo = put(tmp_path / "p.png", PHOTO)
    stylize(photo, *styles, "--weights", *weights, "-o", tmp_path / "o.png").refused(words)


def test_seed_steps_and_strength_are_handed_on(tmp_path, stylize):
    photo, output = put(tmp_path / "p.png", PHOTO), tmp_path / "o.png"
    stylize(photo, "-o", output)
    ran = stylize(photo, "-o", output, "--seed", 2**32 - 1, "--steps", 3, "--strength", 0.25)
    assert [(call.seed, call.steps, call.strength) for call in ran.calls] == [(0, 7, 1.0), (2**32 - 1, 3, 0.25)]
    np.testing.assert_array_equal(ran.calls[0].content, PHOTO[None] / np.float32(255))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "15"], "at least 16 px, not 15"),
        (["--size", "0"], "at least 16 px"),
        (["--size", "-64"], "at least 16 px"),
        (["--size", "20"], "p.png at 20x15 px is too small"),
        (["--size", str(10**8)], "more than 100,000,000 pixels"),
        (["--size", str(10**30)], "more than 100,000,000 pixels"),
        (["--seed", "-1"], "seed must be from 0"),
        (["--seed", str(2**32)], "seed must be from 0"),
        (["--strength", "-0.1"], "Strength must be from 0"),
        (["--strength", "1.1"], "Strength must be from 0"),
        (["--strength", "nan"], "Strength must be from 0"),
        (["--strength", "inf"], "Strength must be from 0"),
        (["--mask", "alpha"], "p.png has no alpha; give a mask file"),
        (["--mask", ""], "empty"),
    ],
)
def test_settings_out_of_range(arguments, words, tmp_path, stylize):
    photo = put(tmp_path / "p.png", PHOTO)
    stylize(photo, "-o", tmp_path / "o.png", *arguments).refused(words)
    assert list(tmp_path.iterdir()) == [photo]


def test_methods_and_settings_that_do_not_exist(tmp_path, stylize):
    photo, output = put(tmp_path / "p.png", PHOTO), tmp_path / "o.png"
    stylize(photo, "-o", output, method="negatif").refused("'negatif' is not known", "optimize, negative")
    stylize(photo, "-o", output, "--steps", 5, method="settled").refused("'settled' has no setting 'steps'")
    stylize(photo, "-o", output, method="settled").succeeded()


# ---------------------------------------------------------------- size, strength, depth, EXIF, color


@pytest.mark.parametrize("size", [None, 32, 33, 63, 64, 65, 128])
@pytest.mark.parametrize("portrait", [False, True])
def test_the_long_side_is_the_size(size, portrait, tmp_path, stylize):
    photo = put(tmp_path / "p.png", PHOTO.swapaxes(0, 1) if portrait else PHOTO)
    ran = stylize(photo, "-o", tmp_path / "o.png", *(["--size", size] if size else []))
    ran.succeeded()
    short = {None: 48, 32: 24, 33: 25, 63: 47, 64: 48, 65: 49, 128: 96}[size]
    wanted = (short, size or 64) if portrait else (size or 64, short)
    with Image.open(tmp_path / "o.png") as image:
        assert image.size == wanted
    assert f": {wanted[0]}x{wanted[1]} px in" in ran.out


@pytest.mark.parametrize("pixels", [PHOTO, PHOTO.swapaxes(0, 1)], ids=["landscape", "portrait"])
def test_the_size_that_would_make_too_many_pixels(pixels, tmp_path, monkeypatch, stylize):
    monkeypatch.setattr(images, "MAX_PIXELS", 80 * 60)
    photo = put(tmp_path / "p.png", pixels)
    stylize(photo, "-o", tmp_path / "o.png", "--size", 81).refused("--size 81", "more than 4,800 pixels")
    stylize(photo, "-o", tmp_path / "o.png", "--size", 80).succeeded()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("pixels", [PHOTO, DEEP_PHOTO], ids=["8 bits", "16 bits"])
def test_strength_zero_is_the_photo_bit_by_bit(suffix, pixels, tmp_path, stylize):
    photo, output = put(tmp_path / "p.png", pixels), tmp_path / f"o{suffix}"
    stylize(photo, "-o", output, "--strength", 0, "--keep-color").succeeded()
    result = images.open_picture(output)
    assert result.bits == 8 * pixels.itemsize
    np.testing.assert_array_equal(np.rint(result.rgb * np.iinfo(pixels.dtype).max), pixels)


def test_sixteen_bits_stay_sixteen_where_the_format_has_them(tmp_path, stylize):
    photo, mask = put(tmp_path / "p.png", DEEP_PHOTO), put(tmp_path / "m.png", MASK)
    for suffix, bits in ((".png", 16), (".tif", 16), (".jpg", 8), (".webp", 8)):
        stylize(photo, "--mask", mask, "-o", tmp_path / f"o{suffix}").succeeded()
        assert images.open_picture(tmp_path / f"o{suffix}").bits == bits
    result = levels(tmp_path / "o.png")
    assert result.dtype == np.uint16
    np.testing.assert_array_equal(result[CORE], DEEP_PHOTO[CORE])
    np.testing.assert_array_equal(result[BACKGROUND], 65535 - DEEP_PHOTO[BACKGROUND])
    stylize(put(tmp_path / "p8.png", PHOTO), "-o", tmp_path / "o.png").succeeded()
    assert levels(tmp_path / "o.png").dtype == np.uint8


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_exif_is_kept_without_what_is_private(suffix, tmp_path, stylize):
    photo, output = tmp_path / "turned.jpg", tmp_path / f"o{suffix}"
    photo.write_bytes(broken.jpeg(broken.TURNED[6](broken.RGB), exif=broken.exif(6)))
    stylize(photo, "-o", output, "--size", 24).succeeded()
    with Image.open(output) as image:
        assert image.size == (24, 18)  # upright, and not turned once more by whoever shows it
        broken.cleaned(types.SimpleNamespace(exif=image.getexif().tobytes()))


def test_keep_color_takes_brightness_from_the_result_and_color_from_the_photo(tmp_path, stylize):
    pixels = 90 + PHOTO // 4  # muted, so that nothing is clipped
    stylize(put(tmp_path / "p.png", pixels), "-o", tmp_path / "o.png", "--keep-color").succeeded()
    result, photo, negative = (
        np.asarray(Image.fromarray(x).convert("YCbCr")).astype(int)
        for x in (levels(tmp_path / "o.png"), pixels, 255 - pixels)
    )
    assert np.abs(result[..., 0] - negative[..., 0]).max() <= 1
    assert np.abs(result[..., 1:] - photo[..., 1:]).max() <= 2


# ---------------------------------------------------------------- masks and alpha


@pytest.mark.parametrize("size", [None, 32, 128])
def test_the_products_core_is_exactly_the_photo(size, tmp_path, stylize):
    photo, mask, output = put(tmp_path / "p.png", PHOTO), put(tmp_path / "m.png", MASK), tmp_path / "o.png"
    stylize(photo, "--mask", mask, "-o", output, "--keep-color", *(["--size", size] if size else [])).succeeded()
    scale = (size or 64) / 64
    rows, columns = (slice(int(a * scale) + 2, int(b * scale) - 2) for a, b in ((8, 40), (10, 50)))
    expected = np.rint(images.resize(PHOTO.astype(np.float32) / 255, size or 64) * 255).astype(np.uint8)
    result = levels(output)
    np.testing.assert_array_equal(result[rows, columns], expected[rows, columns])
    assert (result[: int(8 * scale)] != expected[: int(8 * scale)]).mean() > 0.9
    if size is None:
        np.testing.assert_array_equal(result[CORE], PHOTO[CORE])


def test_a_mask_of_another_size_names_both(tmp_path, stylize):
    photo, mask = put(tmp_path / "p.png", PHOTO), put(tmp_path / "m.png", MASK[:, :40])
    for size in ([], ["--size", 40]):  # the photo's own size counts
        ran = stylize(photo, "--mask", mask, "-o", tmp_path / "o.png", *size)
        ran.refused("m.png is 40 x 48 px", "64 x 48 px")


@pytest.mark.parametrize("name", ["sofa2", "teddyBear", "desklamp"])
def test_a_render_keeps_its_alpha_and_its_product(name, tmp_path, data, stylize):
    photo, output = data / "product_renders" / f"{name}.png", tmp_path / "o.png"
    stylize(photo, "--mask", "alpha", "-o", output).succeeded()
    with Image.open(photo) as image:
        original = np.asarray(image.convert("RGBA"))
    result = levels(output)
    np.testing.assert_array_equal(result[..., 3], original[..., 3])
    core = minimum_filter(original[..., 3] >= 128, 5, mode="nearest")
    edge = (original[..., 3] > 0) & (original[..., 3] < 128)
    assert core.sum() > 50 and edge.sum() > 50
    np.testing.assert_array_equal(result[core], original[core])
    np.testing.assert_array_equal(result[edge][:, :3], 255 - original[edge][:, :3])


def test_alpha_is_kept_and_resized_without_a_mask(tmp_path, stylize):
    photo, output = put(tmp_path / "p.png", np.dstack([PHOTO, MASK])), tmp_path / "o.png"
    stylize(photo, "-o", output).succeeded()
    np.testing.assert_array_equal(levels(output), np.dstack([np.where(MASK[..., None], 255 - PHOTO, 0), MASK]))
    stylize(photo, "--mask", "alpha", "--size", 32, "-o", output).succeeded()
    with Image.open(output) as image:
        assert image.mode == "RGBA" and image.size == (32, 24)
        alpha = np.asarray(image)[..., 3]
    assert (alpha[6:18, 7:23] == 255).all() and (alpha[:2] == 0).all()


def test_a_mask_file_shows_what_alpha_hides_only_inside_the_product(tmp_path, stylize):
    """A product pixel that is transparent stays as it is; outside, white is what the method sees."""
    alpha = MASK.copy()
    alpha[20:24, 20:24] = 0
    photo, mask = put(tmp_path / "p.png", np.dstack([PHOTO, alpha])), put(tmp_path / "m.png", MASK)
    ran = stylize(photo, "--mask", mask, "-o", tmp_path / "o.png")
    np.testing.assert_array_equal(levels(tmp_path / "o.png")[CORE], np.dstack([PHOTO, alpha])[CORE])
    assert (ran.calls[0].content[0][MASK == 0] == 1).all()


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg"])
def test_a_transparent_photo_lies_on_white_in_jpeg(suffix, tmp_path, stylize):
    flat = np.full((48, 64, 4), (200, 40, 40, 0), np.uint8)
    flat[:, 32:, 3] = 128
    photo, output = put(tmp_path / "p.png", flat), tmp_path / f"o{suffix}"
    stylize(photo, "-o", output).succeeded()
    result = levels(output).astype(int)
    assert result.shape == (48, 64, 3)
    assert np.abs(result[:, :24] - 255).max() <= 2
    assert np.abs(result[:, 40:] - np.mean([[255, 255, 255], [55, 215, 215]], 0)).max() <= 3


# ---------------------------------------------------------------- what is said


def test_notes_are_on_stderr_and_only_when_there_is_a_picture(tmp_path, stylize):
    animation = next(case for case in CORPUS if case.name == "animation.gif").make(tmp_path)
    ran = stylize(animation, "-o", tmp_path / "o.png")
    ran.succeeded("animation of 3 frames: the first is used")
    ran.calls.clear()
    stylize(animation, "-o", tmp_path / "o.png", "--mask", "alpha").refused("has no alpha")


def test_a_picture_that_cannot_be_measured_is_written_all_the_same(tmp_path, monkeypatch, stylize):
    def narrow(*_: object) -> None:
        raise ImageError("vgg16 needs pictures of at least 16 px, not 384x3.")

    monkeypatch.setattr(metrics, "style_distance", narrow)
    ran = stylize(put(tmp_path / "p.png", PHOTO), "-o", tmp_path / "o.png")
    ran.succeeded("no distances: vgg16 needs")
    assert re.fullmatch(re.escape(f"{tmp_path / 'o.png'}: 64x48 px in ") + r"\d+\.\d s\n", ran.out)
    np.testing.assert_array_equal(levels(tmp_path / "o.png"), 255 - PHOTO)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_name_that_the_terminal_cannot_show(encoding, tmp_path, monkeypatch, stylize):
    no_utf8 = "\udcff" if sys.platform == "linux" else ""  # a byte as Python shows it; other systems refuse it
    output = tmp_path / f"Größe 漢 {no_utf8}.png"
    screen = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", screen)
    ran = stylize(put(tmp_path / "p.png", PHOTO), "-o", output)
    screen.flush()
    assert ran.code == 0 and ran.err == ""
    assert screen.buffer.getvalue().count(b"\n") == 1
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(output.read_bytes()))), 255 - PHOTO)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "stopped"),
        (MemoryError(), 2, "memory ran out; choose a smaller --size"),
        (tf.errors.ResourceExhaustedError(None, None, "OOM when allocating"), 2, "memory ran out"),
        (WeightsError("The weights w are damaged: restore them."), 2, "damaged"),
    ],
)
def test_a_run_that_ends_early_writes_nothing(error, code, words, tmp_path, fake, stylize):
    fake.error = error
    photo, output = put(tmp_path / "p.png", PHOTO), put(tmp_path / "old.png", MASK)
    before = contents(tmp_path)
    ran = stylize(photo, "-o", output)
    assert ran.code == code and ran.out == "" and len(ran.calls) == 1
    assert_sentence(ran.err.lstrip("\n"), words)  # the first line may hold "^C"
    assert contents(tmp_path) == before


def test_a_mistake_of_ours_is_not_hidden(tmp_path, fake, stylize):
    fake.error = ZeroDivisionError("a bug")
    with pytest.raises(ZeroDivisionError, match="a bug"):
        stylize(put(tmp_path / "p.png", PHOTO), "-o", tmp_path / "o.png")
    assert [path.name for path in tmp_path.iterdir()] == ["p.png"]


# ---------------------------------------------------------------- styles, info, demo, help


def test_styles_are_all_that_ship_with_their_credit(data, command):
    ran = command("styles")
    assert ran.code == 0 and ran.err == ""
    shipped = {path.stem: path.relative_to(data).as_posix() for path in (data / "styles").iterdir()}
    lines = dict(line.split(maxsplit=1) for line in ran.out.splitlines())
    assert list(lines) == sorted(shipped) and len(lines) == ran.out.count("\n")
    entries = {entry["path"]: entry for entry in json.loads((data / "manifest.json").read_text())}
    for name, line in lines.items():
        assert entries[shipped[name]]["credit"] in line and entries[shipped[name]]["licence"] in line


def test_info_says_that_all_is_well(tmp_path, monkeypatch, command):
    monkeypatch.setattr(samples, "weights", lambda name: tmp_path / f"{name}.h5")
    ran = command("info")
    assert ran.code == 0 and ran.err == ""
    assert ran.out.endswith("\nAll is well.\n")
    facts = dict(line.split(maxsplit=1) for line in ran.out.splitlines())
    assert f"{tf.__version__}, Keras " in facts["TensorFlow"] and "CPU:0" in facts["devices"]
    assert facts["Python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert facts["data"] == str(samples.data_root())
    networks = (
        "vgg16 feedforward adain dcgan adversarial_style pix2pix cyclegan stylegan garment_classifier product_mask"
    )
    assert facts["weights"] == ", ".join(f"{name}.h5" for name in networks.split())
    assert facts["engine"].split()[0] in ("tensorflow", "openvino")
    assert f"{len(samples.names('styles'))} styles" in facts["samples"]


def test_info_with_damaged_weights(monkeypatch, command):
    def damaged(name: str) -> None:
        raise WeightsError("The weights vgg16.h5 are damaged: restore them with git checkout.")

    monkeypatch.setattr(samples, "weights", damaged)
    ran = command("info")
    assert ran.code == 2
    assert_sentence(ran.err, "vgg16.h5 are damaged", "restore")
    assert "All is well" not in ran.out


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_seen_enough(unbuffered):
    """As in ``stylelab styles | head -1``."""
    read, write = os.pipe()
    os.close(read)
    command, environment = (
        [sys.executable, "-m", "stylelab.cli", "styles"],
        {**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    ran = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=environment, timeout=120, check=False)
    os.close(write)
    assert (ran.returncode, ran.stderr) == (141, b"")


def assert_demonstration(folder: Path, size: int) -> None:
    """Six pictures, and a page with three cards that needs nothing else."""
    pictures = {
        folder / f"{product}_{painting}_{method}.png": product
        for product, painting in demo.DEMO
        for method in ("fast", "optimize")
    }
    assert set(folder.iterdir()) == {*pictures, folder / "index.html"} and len(pictures) == 6
    for picture, product in pictures.items():
        result = images.read(picture)
        assert max(result.shape) == size
        assert np.abs(result - images.resize(samples.load(product), size)).max() > 0.01
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert page.count("<article>") == 3 and page.count("<img ") == 12
    assert all(source.startswith("data:image/") for source in re.findall(r'(?:src|srcset)\s*=\s*"([^"]*)"', page))
    assert not re.search(r"<script|<iframe|url\(|@import", page)
    assert all(link.startswith("data:") for link in re.findall(r'<link[^>]*href="([^"]*)"', page))
    for product, painting in demo.DEMO:
        assert all(name.replace("_", " ") in page.lower().replace("_", " ") for name in (product, painting))
        assert samples.credit(painting).split(",")[0] in page


def test_demo_writes_each_product_by_both_methods_and_a_page(tmp_path, monkeypatch, command):
    monkeypatch.setitem(stylizers._METHODS, "fast", (__name__, "Settled"))
    monkeypatch.setitem(stylizers._METHODS, "optimize", (__name__, "Negative"))
    monkeypatch.setattr(demo, "SIZE", 40)
    ran = command("demo", "-o", tmp_path / "new" / "out")
    assert ran.code == 0 and ran.err == ""
    assert_demonstration(tmp_path / "new" / "out", 40)
    paintings = [painting for _, painting in demo.DEMO for _ in range(2)]
    assert [call.style.name for call in ran.calls][1:] == paintings  # the first prepares the network
    assert [call.steps for call in ran.calls][1:] == [7, demo.STEPS] * 3
    assert str(tmp_path / "new" / "out" / "index.html") in ran.out.splitlines()[-1]


def test_demo_into_a_file(tmp_path, command):
    (tmp_path / "out").write_bytes(b"mine")
    command("demo", "-o", tmp_path / "out").refused("not a folder")
    assert (tmp_path / "out").read_bytes() == b"mine"


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "paint",
        "stylize",
        "stylize p.png --style x",
        "stylize p.png -o o.png --size big",
        "stylize p.png -o o.png --size 64.5",
        "stylize p.png -o o.png --strength much",
        "stylize p.png -o o.png --seed 0.5",
        "stylize p.png -o o.png --weights",
        "stylize p.png -o o.png --colour",
        "styles all",
    ],
)
def test_mistakes_in_usage_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments.split())
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: stylelab")


def test_help_and_mistakes_do_not_wait_for_tensorflow(tmp_path):
    photo = put(tmp_path / "p.png", PHOTO)
    one = ["stylize", str(photo), "-o", str(tmp_path / "o.png")]
    helps = [[*name, "--help"] for name in ([], ["stylize"], ["styles"], ["info"], ["demo"])]
    mistakes = [
        one,
        [*one, "--style", "nobody"],
        [*one, "--style", PAINTING, "--method", "magic"],
        [*one, "--style", PAINTING, "--size", "5"],
        [*one, "--style", PAINTING, "--seed", "-5"],
        [*one, "--style", PAINTING, "--mask", "alpha"],
        [*one, "--style", PAINTING, "--weights", "1", "2"],
        [*one[:-1], str(photo), "--style", PAINTING],
        ["stylize", "missing.png", "--style", PAINTING, "-o", str(tmp_path / "o.png")],
    ]
    script = """
    import json
    from stylelab import cli
    for arguments in json.loads(sys.argv[1]):
        try: print("code", cli.main(arguments))
        except SystemExit as end: print("code", end.code)
    print({"tensorflow", "keras", "matplotlib", "scipy", "skimage"} & set(sys.modules))
    """
    ran = broken.in_process(script, json.dumps([*helps, ["styles"], *mistakes]))
    codes = [line for line in ran.stdout.splitlines() if line.startswith("code")]
    assert codes == ["code 0"] * (len(helps) + 1) + ["code 2"] * len(mistakes)
    assert ran.stdout.splitlines()[-1] == "set()"
    assert ran.stdout.count("usage: stylelab") == len(helps)
    assert len(ran.stderr.splitlines()) == len(mistakes)


# ---------------------------------------------------------------- the real method


@pytest.mark.weights
def test_a_real_run_prints_one_line(tmp_path):
    photo, output = put(tmp_path / "p.png", PHOTO), tmp_path / "o.png"
    quiet = {"TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS", "PYTHONWARNINGS"}  # what users do not set
    environment = {name: value for name, value in os.environ.items() if name not in quiet}
    options = ["--style", PAINTING, "--method", "optimize", "--size", "48", "--steps", "4", "-o", str(output)]
    command = [sys.executable, "-m", "stylelab.cli", "stylize", str(photo), *options]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert (ran.returncode, ran.stderr) == (0, "")
    line = r": 48x36 px in \d+\.\d s, style distance \d\.\d{3}, content distance \d\.\d\d\n"
    assert re.fullmatch(re.escape(str(output)) + line, ran.stdout)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.png", "p.png"]
    moved = levels(output).astype(float) - 255 * images.resize(PHOTO.astype(np.float32) / 255, 48)
    assert 1 < np.abs(moved).mean() < 64  # four steps from the photo: neither nothing nor noise


@pytest.mark.weights
def test_a_real_demonstration(tmp_path, monkeypatch, command):
    monkeypatch.setattr(demo, "STEPS", 4)
    monkeypatch.setattr(demo, "SIZE", 48)
    ran = command("demo", "-o", tmp_path / "out")
    assert ran.code == 0 and ran.err == ""
    assert_demonstration(tmp_path / "out", 48)


@pytest.mark.weights
def test_info_of_this_clone(command):
    ran = command("info")
    assert ran.code == 0 and ran.out.endswith("All is well.\n")
