"""Pictures: the corpus of broken and unusual files, writing that loses nothing, and the array functions.

Oracles: Pillow (orientation, color profiles), tifffile (16 bits), Pillow and scikit-image (YCbCr). The corpus
is made without StyleLab.
"""

import dataclasses
import errno
import os
import signal
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps
from skimage.color import rgb2ycbcr

from stylelab import formats, images, profiles
from stylelab.errors import ImageError
from tests import broken
from tests.broken import ARRAYS, CORPUS, Broken

RNG = np.random.default_rng(0)
LOSSLESS = (".png", ".tif", ".tiff")


def is_one_sentence(text: str) -> bool:
    return text[-1] in ".?" and "\n" not in text and ". " not in text and len(text) < 600


def random_image(levels: int, height: int = 13, width: int = 17, channels: int = 3) -> np.ndarray:
    return RNG.integers(0, levels + 1, (height, width, channels)).astype(np.float32) / np.float32(levels)


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name[:40])
def test_every_file_of_the_corpus_is_right_or_refused_in_one_sentence(case: Broken, tmp_path: Path) -> None:
    path = case.make(tmp_path)
    before = path.read_bytes() if os.path.isfile(path) else None  # noqa: PTH113 - it takes names that are too long
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Pillow's warnings must not reach the reader
        if case.error is None:
            picture = images.open_picture(path)
            case.check(picture)
            assert picture.rgb.min() >= 0 and picture.rgb.max() <= 1
            assert picture.rgb.flags.c_contiguous and picture.rgb.flags.writeable
        else:
            with pytest.raises(ImageError) as caught:
                images.open_picture(path)
            assert is_one_sentence(str(caught.value)), caught.value
            for word in (case.name, *case.error):
                assert word in str(caught.value)
    assert before is None or path.read_bytes() == before


def test_the_corpus_has_no_two_kinds_of_one_name() -> None:
    assert len({case.name for case in CORPUS}) == len(CORPUS) >= 25


@pytest.mark.parametrize("name", ["", "a\0b.png"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(ImageError, match=r"empty|null"):
        images.open_picture(name)


def test_a_file_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(ImageError, match="not a folder"):
        images.open_picture(tmp_path / "a.txt" / "b.png")


def test_a_file_that_may_not_be_read(public_folder: Path) -> None:
    path = public_folder / "secret.png"
    path.write_bytes(broken.png(broken.RGB))
    path.chmod(0)
    script = "try: images.open_picture(sys.argv[1])\nexcept ImageError as error: print(error)"
    result = broken.as_user(script, path)
    assert is_one_sentence(result.stdout.strip()), result
    assert "secret.png" in result.stdout
    assert "permission denied" in result.stdout


@pytest.mark.parametrize("number", range(1, 9))
def test_orientation_as_pillow_understands_it(number: int, tmp_path: Path) -> None:
    path = tmp_path / "turned.png"
    path.write_bytes(broken.encoded(broken.RGB, "PNG", exif=broken.exif(number)))
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(images.to_uint8(images.open_picture(path).rgb), expected)


def test_heic_is_read_when_pillow_heif_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in for the package: it must be asked to register, and then its plugin reads the file."""
    opened = Image.new("RGB", (5, 4), "red")

    def register() -> None:
        monkeypatch.setitem(Image.OPEN, "HEIF", (lambda file, name: opened, lambda prefix: prefix[4:8] == b"ftyp"))

    monkeypatch.setitem(sys.modules, "pillow_heif", types.SimpleNamespace(register_heif_opener=register))
    path = next(case for case in CORPUS if case.name == "phone.heic").make(tmp_path)
    np.testing.assert_array_equal(images.read(path), np.broadcast_to(np.float32([1, 0, 0]), (4, 5, 3)))


def test_heic_without_the_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    path = next(case for case in CORPUS if case.name == "phone.heic").make(tmp_path)
    with pytest.raises(ImageError, match=r"install the extra heic .* or convert it to JPEG"):
        images.open_picture(path)


def test_a_compression_that_needs_another_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """LZW in a 16-bit TIFF: only the number is changed, because tifffile alone cannot write it either."""
    path = tmp_path / "lzw.tif"
    path.write_bytes(broken.rgb_tiff(broken.DEEP))
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages.first.tags["Compression"].overwrite(5)
    missing = ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda page: (_ for _ in ()).throw(missing))
    with pytest.raises(ImageError, match=r"lzw.tif .* LZW; save it uncompressed .* package imagecodecs"):
        images.open_picture(path)


def test_more_than_the_memory_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(formats, "_decode", full)
    path = tmp_path / "large.png"
    path.write_bytes(broken.png(broken.RGB))
    with pytest.raises(ImageError, match=r"large.png .* memory; make it smaller"):
        images.open_picture(path)


def test_reading_imports_neither_tensorflow_nor_tifffile() -> None:
    script = "import stylelab.samples\nprint({'tensorflow', 'keras', 'tifffile'} & set(sys.modules))"
    assert broken.in_process(script).stdout.strip() == "set()"


def test_transparent_parts_lie_on_white(tmp_path: Path) -> None:
    path = tmp_path / "alpha.png"
    path.write_bytes(broken.png(broken.RGBA))
    rgb, alpha = broken.RGB / 255, broken.ALPHA[..., None] / 255
    np.testing.assert_allclose(images.read(path), rgb * alpha + 1 - alpha, atol=1e-6)
    assert np.array_equal(images.to_uint8(images.read(path))[:, -1], broken.RGB[:, -1])


def test_a_mask_is_gray_and_a_transparent_one_lies_on_black(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    path.write_bytes(broken.encoded(np.uint8([[0, 255, 128]]), "PNG"))
    np.testing.assert_array_equal(images.read_mask(path, (1, 3)), np.float32([[[0], [1], [128 / 255]]]))
    path.write_bytes(broken.png(np.uint8([[[255, 255, 255, 0], [255, 255, 255, 255]]])))
    np.testing.assert_array_equal(images.read_mask(path), np.float32([[[0], [1]]]))


def test_a_mask_of_another_size_says_both_sizes(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    path.write_bytes(broken.encoded(np.zeros((24, 32), np.uint8), "PNG"))
    with pytest.raises(ImageError, match=r"mask\.png is 32 x 24 px and its picture 24 x 32 px"):
        images.read_mask(path, (32, 24))


# ---------------------------------------------------------------- color profiles


CURVES = {
    "linear": broken.curve(),
    "gamma": broken.curve(round(2.2 * 256)),
    "table": broken.curve(*(round((i / 63) ** 1.8 * 65535) for i in range(64))),
    "power": broken.parametric(0, 1.9),
    "srgb": broken.SRGB_CURVE,
    "shifted": broken.parametric(4, 2.2, 0.9, 0.1, 0.3, 0.05, 0.0, 0.0),
}


@pytest.mark.parametrize("curve", CURVES)
def test_sixteen_bits_follow_a_profile_as_eight_bits_do(curve: str) -> None:
    """LittleCMS, through Pillow, is the oracle: our floating point may differ by its rounding to 8 bits."""
    profile = broken.matrix_profile(CURVES[curve], ("b", "r", "g"))
    pixels = RNG.integers(0, 256, (40, 40, 3)).astype(np.uint8)
    expected = np.asarray(profiles.to_srgb(Image.fromarray(pixels), False, profile, []))
    result = profiles.to_srgb_deep(pixels.astype(np.float32) / 255, False, profile, [])
    assert np.abs(result * 255 - expected).max() <= 0.75
    assert abs((result * 255 - expected).mean()) <= 0.1
    assert np.abs(expected.astype(int) - pixels).max() > 20  # or nothing was converted


@pytest.mark.parametrize("tags", [{}, {b"kTRC": broken.parametric(1, 2.2, 1.0, 0.0)}])
def test_a_profile_that_would_cost_the_depth_is_refused(tags: dict[bytes, bytes]) -> None:
    profile = broken.profile(b"GRAY", tags)
    with pytest.raises(ImageError, match=r"tables|rare kind of tone curve"):
        profiles.to_srgb_deep(np.zeros((2, 2, 3), np.float32), True, profile, [])


# ---------------------------------------------------------------- writing


@pytest.mark.parametrize("suffix", LOSSLESS)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("with_alpha", [False, True])
def test_lossless_files_keep_every_bit(suffix: str, bits: int, with_alpha: bool, tmp_path: Path) -> None:
    levels = 2**bits - 1
    rgb, alpha = random_image(levels), random_image(levels, channels=1) if with_alpha else None
    if alpha is not None:
        alpha[:5] = 0  # color under full transparency survives too
    path = images.write(tmp_path / f"a{suffix}", rgb, alpha, bits=bits)
    picture = images.open_picture(path)
    np.testing.assert_array_equal(picture.rgb, rgb)
    assert picture.bits == bits
    assert picture.notes == ()
    if alpha is None:
        assert picture.alpha is None
    else:
        np.testing.assert_array_equal(picture.alpha, alpha)
    again = images.write(tmp_path / f"b{suffix}", picture.rgb, picture.alpha, bits=bits)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_all_levels_of_16_bits_survive(suffix: str, tmp_path: Path) -> None:
    rgb = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(3, -1)
    path = images.write(tmp_path / f"a{suffix}", rgb.astype(np.float32) / 65535, bits=16)
    np.testing.assert_array_equal(np.rint(images.read(path) * 65535), rgb)
    if suffix != ".png":  # the oracle
        np.testing.assert_array_equal(tifffile.imread(path), rgb)


@pytest.mark.parametrize("suffix", images.SUFFIXES)
def test_any_reader_understands_what_is_written(suffix: str, tmp_path: Path) -> None:
    rgb = broken.RGB.astype(np.float32) / 255
    path = images.write(tmp_path / f"a{suffix.upper()}", rgb, exif=broken.exif(6).tobytes())
    with Image.open(path) as image:
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - broken.RGB).max() <= 12
        assert image.info["icc_profile"] == profiles.SRGB_BYTES
        assert profiles.SRGB_BYTES[24:36] == bytes(12)  # no date: the same picture is the same file tomorrow
        broken.cleaned(types.SimpleNamespace(exif=image.getexif().tobytes()))
        assert image.getexif()[0x0112] == 1
    for secret in (b"SERIAL0815", b"LENS4711", b"MAKERNOTE"):
        assert secret not in path.read_bytes()
    assert images.open_picture(path).rgb.shape == rgb.shape  # not turned a second time


def test_jpeg_has_no_alpha_and_lies_on_white(tmp_path: Path) -> None:
    path = images.write(tmp_path / "a.jpg", np.zeros((8, 8, 3)), np.zeros((8, 8, 1)))
    assert images.read(path).min() == 1


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_sixteen_bits_become_eight_where_the_format_has_no_more(suffix: str, tmp_path: Path) -> None:
    assert images.open_picture(images.write(tmp_path / f"a{suffix}", random_image(255), bits=16)).bits == 8


def test_values_are_rounded_not_truncated(tmp_path: Path) -> None:
    np.testing.assert_array_equal(
        images.to_uint8(np.float32([0.499, 0.501, 1.5, 254.6, -9, 999]) / 255), [0, 1, 2, 255, 0, 255]
    )
    deep = images.write(tmp_path / "a.tif", np.float32([[[0.4, 0.6, 1.4]]]) / 65535, bits=16)
    np.testing.assert_array_equal(tifffile.imread(deep), [[[0, 1, 1]]])
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(images.to_uint8(levels.astype(np.float32) / 255), levels)


def test_the_parent_folder_is_made(tmp_path: Path) -> None:
    assert images.write(tmp_path / "new" / "deep" / "a.png", random_image(255)).is_file()


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_are_no_image(name: str, tmp_path: Path) -> None:
    array, words = ARRAYS[name]
    for call in (images.check, lambda array: images.write(tmp_path / "a.png", array)):
        with pytest.raises(ImageError) as caught:
            call(array)
        assert is_one_sentence(str(caught.value)), caught.value
        for word in words:
            assert word in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_check_names_the_argument_and_clips_rounding() -> None:
    with pytest.raises(ImageError, match="The style has"):
        images.check(np.zeros((2, 2)), "style")
    result = images.check(np.float64([[[-0.0005, 0.5, 1.0005]]]))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, np.float32([[[0, 0.5, 1]]]))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": np.zeros((4, 4, 1))}, "alpha has the shape (4, 4, 1)"),
        ({"alpha": np.zeros((13, 17, 3))}, "alpha has the shape (13, 17, 3)"),
        ({"alpha": np.full((13, 17, 1), np.nan)}, "alpha has values that are NaN"),
        ({"bits": 12}, "12 bits"),
    ],
)
def test_options_that_cannot_be_written(options: dict, words: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError) as caught:
        images.write(tmp_path / "a.png", random_image(255), **options)
    assert words in str(caught.value)


def test_sides_too_long_for_the_format(tmp_path: Path) -> None:
    rgb = np.zeros((1, 20_000, 3), np.float32)
    with pytest.raises(ImageError, match=r"wide\.webp .* 16383 px a side; choose \.png"):
        images.write(tmp_path / "wide.webp", rgb)
    assert images.open_picture(images.write(tmp_path / "wide.png", rgb)).rgb.shape == rgb.shape


# ---------------------------------------------------------------- outputs: nothing is lost


@pytest.mark.parametrize("name", ["", ".", "a", "a.gif", "a.bmp", ".png", "a.png.txt"])
def test_outputs_without_a_name_or_format(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ImageError) as caught:
        images.check_output(name)
    assert ("empty" if not name else ".png, .jpg") in str(caught.value)


@pytest.mark.parametrize("spelling", ["same", "dot", "parent", "symlink", "hard link", "relative"])
def test_an_output_that_is_an_input(spelling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    photo = images.write(tmp_path / "photo.png", random_image(255))
    (tmp_path / "symlink.png").symlink_to(photo)
    os.link(photo, tmp_path / "hard.png")
    output = {
        "same": str(photo),
        "dot": f"{tmp_path}/./photo.png",
        "parent": f"{tmp_path}/../{tmp_path.name}/photo.png",
        "symlink": tmp_path / "symlink.png",
        "hard link": tmp_path / "hard.png",
        "relative": "photo.png",
    }[spelling]
    before = photo.read_bytes()
    with pytest.raises(ImageError, match="one of the inputs"):
        images.check_output(output, [tmp_path / "missing.png", photo])
    assert images.check_output(output) == Path(output)  # without inputs it is an ordinary file to replace
    assert photo.read_bytes() == before


def test_an_output_that_is_a_folder_or_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("text")
    with pytest.raises(ImageError, match=r"folder\.png .* is a folder"):
        images.check_output(tmp_path / "folder.png")
    with pytest.raises(ImageError, match="not a folder"):
        images.check_output(tmp_path / "file" / "a.png")


def test_checking_makes_the_folder_and_leaves_nothing_in_it(tmp_path: Path) -> None:
    old = images.write(tmp_path / "old.png", random_image(255))
    before = old.read_bytes()
    images.check_output(old)
    images.check_output(tmp_path / "new" / "a.png")
    assert old.read_bytes() == before
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["new", "old.png"]


def test_outputs_that_may_not_be_written(public_folder: Path) -> None:
    locked, open_to_all = public_folder / "locked", public_folder / "open"
    locked.mkdir()
    locked.chmod(0o555)
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    old = open_to_all / "old.png"
    old.write_bytes(b"old")
    old.chmod(0o444)
    script = """
    for path in sys.argv[1:]:
        for call in (images.check_output, lambda path: images.write(path, np.zeros((4, 4, 3)))):
            try: call(path)
            except ImageError as error: print(error)
    """
    paths = (locked / "a.png", locked / "new" / "a.png", old)
    lines = broken.as_user(script, *paths).stdout.splitlines()
    assert len(lines) == 6
    for line, path in zip(lines, np.repeat(paths, 2), strict=True):
        assert is_one_sentence(line)
        assert str(path) in line
        assert "permission denied" in line
    assert old.read_bytes() == b"old"
    assert [path.name for path in open_to_all.iterdir()] == ["old.png"]


@pytest.mark.parametrize("function", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full; free some space"),
        (OSError(errno.EROFS, "Read-only file system"), "the disk is read-only"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error; check the path and the disk"),
    ],
)
def test_a_failure_while_writing_leaves_everything_as_it_was(
    function: str, error: OSError, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = images.write(tmp_path / "a.png", random_image(255))
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(ImageError) as caught:
        images.write(path, random_image(255))
    assert is_one_sentence(str(caught.value))
    assert "a.png" in str(caught.value) and words in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
    assert path.read_bytes() == before


def test_ctrl_c_while_writing_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        images.write(tmp_path / "a.png", random_image(255))
    assert list(tmp_path.iterdir()) == []


def test_a_really_full_disk(tmp_path: Path) -> None:
    """The system itself refuses the bytes: a limit on a file's size acts like a disk that fills up."""
    path = images.write(tmp_path / "a.png", np.zeros((4, 4, 3)))
    before = path.read_bytes()
    script = """
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    try: images.write(sys.argv[1], np.random.default_rng(0).random((99, 99, 3)))
    except ImageError as error: print(error)
    """
    line = broken.in_process(script, path).stdout.strip()
    assert is_one_sentence(line)
    assert "a.png" in line and "larger than this system allows" in line
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]
    assert path.read_bytes() == before


def test_killed_while_writing_the_old_picture_is_whole(tmp_path: Path) -> None:
    path = images.write(tmp_path / "a.png", np.zeros((4, 4, 3)))
    before = path.read_bytes()
    for moment in ("fsync", "replace"):
        script = f"os.{moment} = lambda *_: os.kill(os.getpid(), 9)\nimages.write(sys.argv[1], np.ones((9, 9, 3)))"
        assert broken.in_process(script, path).returncode == -signal.SIGKILL
        assert path.read_bytes() == before


# ---------------------------------------------------------------- resize


@pytest.mark.parametrize("size", [1, 7, 13, 17, 40, (1, 1), (5, 30), (30, 5), (26, 34)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_resize_keeps_constants_and_range(size: int | tuple[int, int], channels: int) -> None:
    for value in (0.0, 0.3, 1.0):
        constant = np.full((13, 17, channels), value, np.float32)
        np.testing.assert_allclose(images.resize(constant, size), value, atol=1e-6)
    noise = images.resize(random_image(1, channels=channels), size)  # black and white dots overshoot the most
    assert noise.dtype == np.float32
    assert noise.min() >= 0 and noise.max() <= 1
    assert noise.shape[2] == channels


def test_a_mask_that_is_one_stays_exactly_one() -> None:
    for size in (3, 9, 50):
        assert (images.resize(np.ones((13, 17, 1), np.float32), size) == 1).all()


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ((400, 300, 3), 200, (200, 150, 3)),
        ((300, 400, 3), 200, (150, 200, 3)),
        ((1, 4000, 3), 100, (1, 100, 3)),
        ((4000, 1, 1), 10, (10, 1, 1)),
        ((300, 400, 3), 1, (1, 1, 3)),
        ((301, 401, 3), 802, (602, 802, 3)),
        ((30, 40, 3), (7, 99), (7, 99, 3)),
        ((2, 30, 40, 3), (7, 99), (2, 7, 99, 3)),
        ((2, 30, 40, 3), np.int64(20), (2, 15, 20, 3)),
    ],
)
def test_resized_shapes(shape: tuple[int, ...], size: int | tuple[int, int], expected: tuple[int, ...]) -> None:
    assert images.resize(np.zeros(shape, np.float32), size).shape == expected


def test_a_checkerboard_shrinks_to_gray() -> None:
    board = (np.indices((64, 64)).sum(0) % 2).astype(np.float32)[..., None].repeat(3, -1)
    inner = images.resize(board, 16)[2:-2, 2:-2]
    np.testing.assert_allclose(inner, 0.5, atol=0.01)  # picking every fourth pixel would give all black or white


@pytest.mark.parametrize("size", [(6, 8), (24, 32), (50, 70), 11])
def test_resize_keeps_the_mean_and_the_place(size: int | tuple[int, int]) -> None:
    y, x = np.mgrid[0:48, 0:64].astype(np.float32)
    blob = np.exp(-((x - 20) ** 2 + (y - 30) ** 2) / 60)[..., None]
    small = images.resize(blob, size)
    assert small.mean() == pytest.approx(blob.mean(), rel=0.01)
    row, column = np.indices(small.shape[:2]) + 0.5
    centre = (small[..., 0] * column).sum() / small.sum() / small.shape[1]
    assert centre == pytest.approx(20.5 / 64, abs=0.005)  # half a pixel of shift would be 0.08 at 6 x 8
    assert (small[..., 0] * row).sum() / small.sum() / small.shape[0] == pytest.approx(30.5 / 48, abs=0.005)


def test_resize_handles_pictures_and_channels_one_by_one() -> None:
    batch = np.stack([random_image(255) for _ in range(2)])
    result = images.resize(batch, (6, 9))
    for image, single in zip(batch, result, strict=True):
        np.testing.assert_array_equal(images.resize(image, (6, 9)), single)
        np.testing.assert_array_equal(images.resize(image[..., 1:2], (6, 9)), single[..., 1:2])


def test_the_same_size_is_the_same_picture_and_a_copy() -> None:
    image = random_image(255)
    result = images.resize(image, 17)
    np.testing.assert_array_equal(result, image)
    assert not np.shares_memory(result, image)


@pytest.mark.parametrize("size", [0, -5, (0, 5), (5, -1), (5,), (5, 5, 3), 2.5, "5", None, (2.5, 3)])
def test_sizes_that_are_none(size: object) -> None:
    with pytest.raises(ImageError, match=r"can(not)? be resized"):
        images.resize(np.zeros((4, 4, 3), np.float32), size)


@pytest.mark.parametrize("array", [np.zeros((4, 4)), np.zeros((4, 4, 3), np.uint8), np.zeros((0, 4, 3)), None])
def test_arrays_that_cannot_be_resized(array: object) -> None:
    with pytest.raises(ImageError, match="cannot be resized"):
        images.resize(array, 2)


# ---------------------------------------------------------------- composite and color


def test_composite_is_bit_exact_where_the_mask_is_one_or_zero() -> None:
    front, back = RNG.random((2, 50, 60, 3), np.float32)
    front[0, 0] = -0.0  # whose sign a sum with zero would lose
    mask = RNG.choice(np.float32([0, 0.25, 1]), (50, 60, 1))
    result = images.composite(front, back, mask)
    one, zero = (mask == 1)[..., 0], (mask == 0)[..., 0]
    assert result[one].tobytes() == front[one].tobytes()
    assert result[zero].tobytes() == back[zero].tobytes()
    between = ~one & ~zero
    np.testing.assert_allclose(result[between], 0.25 * front[between] + 0.75 * back[between], atol=1e-6)
    assert result.dtype == np.float32
    batch = images.composite(front[None].repeat(2, 0), back[None].repeat(2, 0), mask)
    np.testing.assert_array_equal(batch[1], result)


@pytest.mark.parametrize("mask", [(5, 6, 1), (6, 5, 3), (6, 5), (1, 1, 1), (6, 1, 1)])
def test_masks_of_another_size_are_not_stretched(mask: tuple[int, ...]) -> None:
    image = np.zeros((6, 5, 3), np.float32)
    with pytest.raises(ImageError, match=r"\(6, 5, 3\)"):
        images.composite(image, image, np.zeros(mask, np.float32))


def test_ycbcr_as_pillow_and_scikit_image_compute_it_and_back() -> None:
    pixels = RNG.integers(0, 256, (60, 60, 3)).astype(np.uint8)
    rgb = pixels.astype(np.float32) / 255
    ycbcr = images.rgb_to_ycbcr(rgb)
    expected = np.asarray(Image.fromarray(pixels).convert("YCbCr")).astype(float)
    expected[..., 1:] -= 0.5  # a half is 127.5 of 255 here, and 128 in bytes
    assert np.abs(ycbcr * 255 - expected).max() <= 1.01  # Pillow gives integers
    studio = rgb2ycbcr(rgb) - [16, 128, 128]  # scikit-image: the same colors over a smaller range
    np.testing.assert_allclose(ycbcr, studio / [219, 224, 224] + [0, 0.5, 0.5], atol=2e-5)
    np.testing.assert_allclose(images.ycbcr_to_rgb(ycbcr), rgb, atol=2e-6)
    np.testing.assert_array_equal(images.luminance(rgb), ycbcr[..., :1])


def test_luminance_of_gray_is_gray_exactly() -> None:
    gray = (np.arange(65536, dtype=np.float32) / 65535).reshape(256, 256, 1).repeat(3, -1)
    np.testing.assert_array_equal(images.luminance(gray), gray[..., :1])
    np.testing.assert_array_equal(images.rgb_to_ycbcr(gray)[..., 1:], 0.5)


def test_a_picture_cannot_be_changed_by_accident(tmp_path: Path) -> None:
    picture = images.open_picture(images.write(tmp_path / "a.png", random_image(255)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        picture.rgb = None  # type: ignore[misc]
