"""Product pictures: the core is the photo's, bit by bit, whatever the mode, mask, size and format.

The oracle is the photo itself, or Pillow's bicubic filter called here, without the package.
"""

import itertools
import os

import numpy as np
import pytest
from PIL import Image

from stylelab import images, samples, stylizers
from stylelab.catalog import measures, product, scenes
from stylelab.errors import ImageError, SettingsError
from tests import broken

LOSSLESS = [(".png", 8), (".png", 16), (".tif", 8), (".tif", 16)]
LOSSY = [(".webp", 8), (".jpg", 8)]


class Negative(stylizers.Stylizer):
    """The cheapest method that changes every pixel that is not mid gray."""

    def _stylize(self, content, style, *, strength, **others):
        return (1 - strength) * content + strength * (1 - content)


PAINTING = np.random.default_rng(7).random((20, 24, 3)).astype("float32")


def a_picture(rng, height, width, bits, with_alpha):
    levels = 255 if bits == 8 else 65535
    draw = lambda channels: (rng.integers(0, levels + 1, (height, width, channels)) / levels).astype("float32")  # noqa: E731
    alpha = None
    if with_alpha:
        alpha = draw(1)
        alpha[rng.random(alpha.shape) < 0.3] = 0
        alpha[rng.random(alpha.shape) < 0.4] = 1
    return images.Picture(draw(3), alpha, b"", bits, ())


def a_mask(rng, kind, height, width):
    """Masks of all kinds that come: never black everywhere."""
    y, x = np.mgrid[:height, :width]
    top, left = rng.integers(0, height // 2), rng.integers(0, width // 2)
    bottom, right = rng.integers(top + 1, height + 1), rng.integers(left + 1, width + 1)
    inside = (y >= top) & (y < bottom) & (x >= left) & (x < right)
    if kind == "ellipse":
        inside = ((y - height / 2) / (0.2 + rng.random()) / height) ** 2 + ((x - width / 2) / width) ** 2 < 0.1
    if kind == "thin":
        inside = abs(y * width - x * height) < rng.integers(1, 4) * max(height, width)
    if kind == "border":
        inside = (y < bottom) & (x >= left)
    if kind == "all":
        inside = y >= 0
    if kind == "dots":
        inside = rng.random((height, width)) < 0.1
        inside[height // 2, width // 2] = True
    mask = inside.astype("float32")
    if kind == "soft":
        mask = np.asarray(Image.fromarray(mask).resize((max(2, width // 4),) * 2).resize((width, height), 2))
        mask = np.clip(mask, 0.01, 1)
    return mask[..., None]


MASKS = ["box", "ellipse", "thin", "border", "all", "dots", "soft"]


def levels_of(rgb, bits):
    return np.rint(np.asarray(rgb, "float32") * np.float32(2**bits - 1)).astype(int)  # as files are written


@pytest.fixture
def quick_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda file: None)  # a thousand files that nobody keeps


@pytest.mark.parametrize("batch", range(30))
def test_the_core_is_exact_in_1050_cases(batch, tmp_path, quick_disk):
    rng = np.random.default_rng(batch)
    cores = 0
    for case in range(35):
        mode = product.MODES[case % 4]
        suffix, out_bits = [*LOSSLESS, *LOSSY][(case + batch) % 6]
        height, width = rng.integers(16, 72, 2)
        photo = a_picture(rng, height, width, rng.choice([8, 16]), with_alpha=rng.random() < 0.4)
        mask = a_mask(rng, MASKS[(case + batch) % 7], height, width)
        if mode in product.FRAMES and photo.alpha is not None:
            photo.alpha[mask.argmax() // width, mask.argmax() % width] = 1  # something of the product is to be seen
        size = None if rng.random() < 0.4 else int(rng.integers(72, 110))
        prepared = product.prepare(photo, mask, mode, size)
        strength = rng.choice([0.0, 0.3, 1.0])
        result = product.render(prepared, mode, Negative(), PAINTING, strength=strength, seed=case)
        assert result.shape == prepared.rgb.shape
        assert result.min() >= 0 and result.max() <= 1
        kept = product.core(prepared.mask)[..., 0]
        if mode == "whole" and strength > 0:
            kept[:] = False
        np.testing.assert_array_equal(result[kept], prepared.rgb[kept])

        file = images.write(tmp_path / f"out{suffix}", result, prepared.alpha, bits=out_bits)
        read = images.open_picture(file)
        expected = levels_of(prepared.rgb, out_bits)
        if suffix == ".jpg" and prepared.alpha is not None:
            kept &= prepared.alpha[..., 0] == 1  # JPEG lays the rest over white
        got = levels_of(read.rgb, out_bits)
        if (suffix, out_bits) in LOSSLESS:
            np.testing.assert_array_equal(got[kept], expected[kept])
            if prepared.alpha is not None:
                np.testing.assert_array_equal(levels_of(read.alpha, out_bits), levels_of(prepared.alpha, out_bits))
        if case % 7 == 0:
            reported = measures.measure_file(file, prepared, mode).core_difference
            if (suffix, out_bits) in LOSSLESS and kept.any():
                assert reported == pytest.approx(0, abs=1e-3)
            elif kept.any() and prepared.alpha is None:
                assert reported == pytest.approx(abs(got - expected)[kept].max(), abs=1e-3)
        cores += kept.any()
    assert cores >= 10  # the cases are about something


def pillow(array, size):
    """Bicubic, as Pillow has it, plane by plane: what 'resampled once' means."""
    planes = [
        np.asarray(Image.fromarray(p).resize(size[::-1], Image.Resampling.BICUBIC)) for p in np.moveaxis(array, -1, 0)
    ]
    return np.stack(planes, -1)


@pytest.mark.parametrize("mode", ["scene", "whole"])
@pytest.mark.parametrize("size", [None, 40, 100])
def test_prepared_is_the_photo_resampled_once(mode, size):
    photo = a_picture(np.random.default_rng(1), 40, 60, 8, with_alpha=False)
    mask = np.zeros((40, 60, 1), "float32")
    mask[10:30, 10:50] = 1
    prepared = product.prepare(photo, mask, mode, size)
    shape = (40, 60) if size is None else (round(40 * size / 60), size)
    expected = photo.rgb if size is None else np.clip(pillow(photo.rgb, shape), 0, 1)
    np.testing.assert_array_equal(prepared.rgb, expected)
    assert prepared.scale == pytest.approx(shape[1] / 60)


def box_of(mask):
    rows, columns = (np.flatnonzero((mask[..., 0] >= 0.5).any(axis)) for axis in (1, 0))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1


@pytest.mark.parametrize("mode", ["clean", "backdrop"])
def test_a_cut_out_without_a_size_has_the_photos_own_pixels(mode):
    photo = a_picture(np.random.default_rng(1), 50, 70, 16, with_alpha=False)
    mask = a_mask(np.random.default_rng(1), "ellipse", 50, 70)
    prepared = product.prepare(photo, mask, mode)
    (y, x, *_), (top, left, *_) = box_of(prepared.mask), box_of(mask)
    shifted = np.roll(photo.rgb, (y - top, x - left), (0, 1))[: len(prepared.rgb), : len(prepared.rgb)]
    kept = np.flatnonzero(product.core(prepared.mask)[: shifted.shape[0], : shifted.shape[1], 0].ravel())
    assert kept.size > 50
    canvas = prepared.rgb[: shifted.shape[0], : shifted.shape[1]].reshape(-1, 3)
    np.testing.assert_array_equal(canvas[kept], shifted.reshape(-1, 3)[kept])


@pytest.mark.parametrize("mode", ["clean", "backdrop"])
@pytest.mark.parametrize("size", [64, 200, 333])
def test_a_cut_out_has_its_size_and_place(mode, size):
    ramp = np.stack(np.broadcast_arrays(*np.mgrid[:1:90j, :1:120j], 0.5), -1).astype("float32")  # color = place
    mask = np.zeros((90, 120, 1), "float32")
    mask[20:70, 30:60] = 1
    prepared = product.prepare(images.Picture(ramp, None, b"", 8, ()), mask, mode, size)
    top, left, bottom, right = box_of(prepared.mask)
    frame = product.FRAMES[mode]
    assert (bottom - top) / size == pytest.approx(frame.height, abs=1.5 / size)
    assert (left + right) / 2 == pytest.approx(size / 2, abs=1)
    assert bottom == pytest.approx(size * frame.floor if frame.floor else size / 2 + frame.height * size / 2, abs=1.5)
    y, x = np.nonzero(product.core(prepared.mask)[..., 0])
    np.testing.assert_allclose(prepared.rgb[y, x, 0] * 89, (y - top + 0.5) / prepared.scale + 19.5, atol=1)
    np.testing.assert_allclose(prepared.rgb[y, x, 1] * 119, (x - left + 0.5) / prepared.scale + 29.5, atol=1)


def test_what_the_border_cuts_off_is_cut_off_by_a_backdrops_frame():
    photo = a_picture(np.random.default_rng(1), 60, 60, 8, with_alpha=False)
    for side, region in {
        "top": np.s_[:30, 20:40],
        "left": np.s_[20:40, :30],
        "right": np.s_[20:40, 30:],
        "bottom": np.s_[30:, 20:40],
    }.items():
        mask = np.zeros((60, 60, 1), "float32")
        mask[region] = 1
        top, left, bottom, right = box_of(product.prepare(photo, mask, "backdrop", 100).mask)
        touched = {"top": top == 0, "left": left == 0, "right": right == 100, "bottom": bottom == 100}
        assert [name for name, true in touched.items() if true] == [side]
        clean = product.prepare(photo, mask, "clean", 100).mask  # a main image shows all of its product
        assert not (clean[[0, -1]].any() or clean[:, [0, -1]].any())


def test_core_is_all_but_two_px():
    mask = np.zeros((30, 30, 1), "float32")
    mask[10:20, 5:28] = 1
    expected = np.zeros((30, 30, 1), bool)
    expected[12:18, 7:26] = True
    np.testing.assert_array_equal(product.core(mask), expected)
    mask[10:20, 5:] = 1  # the picture's own border is no edge
    expected[12:18, 7:] = True
    np.testing.assert_array_equal(product.core(mask), expected)
    assert product.core(np.ones((4, 4, 1))).all()
    assert not product.core(np.full((9, 9, 1), 0.49)).any()
    thin = np.zeros((30, 30, 1))
    thin[:, 10:14] = 1
    assert not product.core(thin).any()


def white_ground():
    """A red product on a ground as photos have it: 243 to 255."""
    rng = np.random.default_rng(0)
    rgb = (rng.integers(243, 256, (64, 64, 1)) / 255 * np.ones(3)).astype("float32")
    mask = np.zeros((64, 64, 1), "float32")
    mask[20:44, 20:44] = 1
    rgb[20:44, 20:44] = (0.8, 0.1, 0.1)
    return images.Picture(rgb, None, b"", 8, ()), mask


def test_scene_leaves_white_and_whole_does_not():
    photo, mask = white_ground()
    ground = mask[..., 0] == 0
    scene = product.render(product.prepare(photo, mask, "scene"), "scene", Negative(), PAINTING)
    np.testing.assert_array_equal(scene[ground], photo.rgb[ground])
    whole = product.render(product.prepare(photo, mask, "whole"), "whole", Negative(), PAINTING)
    np.testing.assert_allclose(whole, 1 - photo.rgb, atol=1e-6)


@pytest.mark.parametrize("size", [None, 24])
def test_clean_is_255_white_without_the_old_ground(size):
    photo, mask = white_ground()
    photo.rgb[mask[..., 0] == 0] = (0.0, 0.0, 0.6)  # dark blue: any of it in the edge would show
    prepared = product.prepare(photo, mask, "clean", size)
    result = product.render(prepared, "clean", None, None)
    far = np.ones(prepared.mask.shape[:2], bool)
    top, left, bottom, right = box_of(prepared.mask)
    far[top - 2 : bottom + 2, left - 2 : right + 2] = False
    assert (images.to_uint8(result)[far] == 255).all()
    edge = ~far & ~product.core(prepared.mask)[..., 0]
    # Between red (0.8, 0.1, 0.1) and white: red is never under 0.8, and green and blue are equal.
    assert result[edge][:, 0].min() > 0.79
    np.testing.assert_allclose(result[edge][:, 1], result[edge][:, 2], atol=0.01)


@pytest.mark.parametrize("wide", [1, 2, 3])
def test_a_thin_product_keeps_its_color(wide):
    rgb = np.full((60, 60, 3), (0.0, 0.0, 0.6), "float32")
    mask = np.zeros((60, 60, 1), "float32")
    mask[5:55, 30 : 30 + wide] = 1
    rgb[5:55, 30 : 30 + wide] = (0.8, 0.1, 0.1)
    result = product.render(product.prepare(images.Picture(rgb, None, b"", 8, ()), mask, "clean"), "clean", None, None)
    strongest = result[len(result) // 2].min(-1)
    assert strongest.min() < 0.75
    assert (result[..., 0] > 0.79).all()


def test_backdrop_darkens_the_floor_and_not_the_product():
    photo, mask = white_ground()
    prepared = product.prepare(photo, mask, "backdrop", 128)
    ground = np.full((128, 128, 3), 0.7, "float32")
    result = product.render(prepared, "backdrop", None, None, ground=ground)
    top, left, bottom, right = box_of(prepared.mask)
    assert result[bottom + 2, (left + right) // 2].max() < 0.55
    assert (result[: top - 3] == ground[: top - 3]).mean() > 0.999
    kept = product.core(prepared.mask)[..., 0]
    np.testing.assert_array_equal(result[kept], prepared.rgb[kept])


def test_alpha_and_mask_together_say_what_a_cut_out_is():
    photo, mask = white_ground()
    alpha = np.ones((64, 64, 1), "float32")
    alpha[:, :32] = 0
    cut = images.Picture(photo.rgb, alpha, b"", 8, ())
    top, left, bottom, right = box_of(product.prepare(cut, mask, "clean").mask)
    assert (bottom - top, right - left) == (24, 12)


def test_hidden_colors_reach_neither_the_style_nor_the_product():
    photo, mask = white_ground()
    hidden = photo.rgb.copy()
    hidden[mask[..., 0] == 0] = (0, 1, 0)
    cut = images.Picture(hidden, mask, b"", 8, ())
    seen = []

    class Spy(Negative):
        def _stylize(self, content, style, **others):
            seen.append(content)
            return super()._stylize(content, style, **others)

    for size in (None, 40, 100):
        prepared = product.prepare(cut, mask, "scene", size)
        product.render(prepared, "scene", Spy(), PAINTING)
        green = (seen[-1][0, ..., 1] > 0.5) & (seen[-1][0, ..., 0] < 0.5)
        assert not green.any()


@pytest.mark.parametrize("size", [20, 45, 64, 100, 130])
def test_beside_transparency_a_color_stays_what_it_is(size):
    alpha = np.zeros((64, 64, 1), "float32")
    alpha[10:50, 20:] = 1
    gray = images.Picture(np.full((64, 64, 3), 0.5, "float32"), alpha, b"", 8, ())
    for mode in product.MODES:
        prepared = product.prepare(gray, alpha, mode, size)
        np.testing.assert_allclose(prepared.rgb[prepared.mask[..., 0] > 0.5], 0.5, atol=0.003)


@pytest.mark.parametrize(
    "name", ["cmyk.jpg", "rgb16.png", "rgb_alpha16.tif", "turned6.jpg", "swapped.png", "turned8_16.tif"]
)
@pytest.mark.parametrize("mode", product.MODES)
def test_unusual_files(name, mode, tmp_path):
    record = next(one for one in broken.CORPUS if one.name == name)
    photo = images.open_picture(record.make(tmp_path))
    mask = np.zeros((*photo.rgb.shape[:2], 1), "float32")
    mask[3:-3, 4:-4] = 1
    prepared = product.prepare(photo, mask, mode)
    result = product.render(prepared, mode, Negative(), PAINTING)
    file = images.write(tmp_path / "out.tif", result, prepared.alpha, bits=photo.bits)
    kept = product.core(prepared.mask)[..., 0] & (mode != "whole")
    read = images.open_picture(file)
    np.testing.assert_array_equal(levels_of(read.rgb, photo.bits)[kept], levels_of(prepared.rgb, photo.bits)[kept])
    if mode == "scene":  # the whole way from the file that came in
        np.testing.assert_array_equal(levels_of(read.rgb, photo.bits)[kept], levels_of(photo.rgb, photo.bits)[kept])
    if prepared.alpha is not None:
        np.testing.assert_array_equal(levels_of(read.alpha, photo.bits), levels_of(photo.alpha, photo.bits))


def test_refusals():
    photo, mask = white_ground()
    with pytest.raises(SettingsError, match=r"scenery.*scene, backdrop"):
        product.prepare(photo, mask, "scenery")
    with pytest.raises(SettingsError, match="scenery"):
        product.render(product.prepare(photo, mask, "scene"), "scenery", Negative(), PAINTING)
    with pytest.raises(SettingsError, match="at least 16 px, not 15"):
        product.prepare(photo, mask, "scene", 15)
    for mode in product.MODES:
        with pytest.raises(SettingsError, match="100,000,000 pixels"):
            product.prepare(photo, mask, mode, 10_001)
    with pytest.raises(ImageError, match="black everywhere"):
        product.prepare(photo, mask * 0, "clean")
    product.prepare(photo, mask * 0, "scene")
    for wrong in (mask[:-1], mask[..., 0], mask * np.nan):
        with pytest.raises(ImageError, match=r"\(64, 64, 1\)"):
            product.prepare(photo, wrong, "scene")
    with pytest.raises(ImageError, match="64x8 px is too small"):
        product.prepare(images.Picture(photo.rgb[:8], None, b"", 8, ()), mask[:8], "whole")
    prepared = product.prepare(photo, mask, "backdrop", 64)
    with pytest.raises(SettingsError, match="needs a stylizer"):
        product.render(prepared, "backdrop", None, PAINTING)
    with pytest.raises(ImageError, match=r"\(32, 32, 3\)"):
        product.render(prepared, "backdrop", None, None, ground=np.zeros((32, 32, 3), "float32"))
    with pytest.raises(SettingsError, match="Strength"):
        product.render(prepared, "backdrop", Negative(), PAINTING, strength=1.5)


@pytest.mark.weights
@pytest.mark.parametrize(("method", "style"), [("fast", "hokusai_great_wave"), ("any", "vangogh_starry_night")])
def test_exact_with_the_networks(method, style, tmp_path):
    stylizer = stylizers.get(method)
    for name, (mode, size) in itertools.product(("sneaker_knit", "orchid"), (("scene", 256), ("backdrop", 200))):
        photo = images.open_picture(samples.path(f"products/{name}"))
        mask = samples.mask(name)
        prepared = product.prepare(photo, mask, mode, size)
        result = product.render(prepared, mode, stylizer, style)
        file = images.write(tmp_path / "out.png", result)
        kept = product.core(prepared.mask)[..., 0]
        assert kept.any()
        np.testing.assert_array_equal(images.to_uint8(images.read(file))[kept], images.to_uint8(prepared.rgb)[kept])
        assert np.abs(result - prepared.rgb)[~kept].mean() > 0.02
        again = product.render(prepared, mode, stylizer, style)
        np.testing.assert_array_equal(result, again)


def test_a_ready_ground_gives_the_same_backdrop():
    photo, mask = white_ground()
    prepared = product.prepare(photo, mask, "backdrop", 96)
    ground = scenes.backdrop(96, Negative(), PAINTING, strength=0.5, seed=3)
    at_once = product.render(prepared, "backdrop", Negative(), PAINTING, strength=0.5, seed=3)
    np.testing.assert_array_equal(product.render(prepared, "backdrop", None, None, ground=ground), at_once)
