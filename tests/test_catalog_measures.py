"""The report's numbers. CIEDE2000 and MSER are libraries', wrapped; the rest is compared with plain NumPy here."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from stylelab import images, metrics, samples
from stylelab.catalog import measures, product, text
from stylelab.errors import ImageError


@pytest.fixture
def prepared():
    rgb = images.resize(samples.load("products/instant_camera"), 240)
    mask = np.zeros((*rgb.shape[:2], 1), "float32")
    mask[60:140, 70:190] = 1
    return product.Product(rgb, mask, None)


def test_nothing_changed(prepared):
    found = measures.measure(prepared, prepared.rgb, "scene")
    assert (found.core_difference, found.product_color, found.product_color_largest) == (0, 0, 0)
    assert found.edges == 1
    assert found.text_regions == 0
    assert found.share == pytest.approx(80 * 120 / (160 * 240))
    assert found.fill == pytest.approx(0.5)


def test_one_pixel_of_the_core(prepared):
    result = prepared.rgb.copy()
    result[100, 100, 1] += 0.1 if result[100, 100, 1] < 0.5 else -0.1
    found = measures.measure(prepared, result, "scene")
    assert found.core_difference == pytest.approx(25.5, abs=1e-3)
    core = product.core(prepared.mask)
    assert found.product_color == pytest.approx(metrics.color_difference(result, prepared.rgb, core), rel=1e-4)
    assert found.product_color_largest == pytest.approx(found.product_color * 76 * 116, rel=1e-4)
    assert 0.9 < found.edges < 1


def test_the_ground_and_the_ring_are_not_the_core(prepared):
    result = np.where(product.core(prepared.mask), prepared.rgb, 1 - prepared.rgb)
    found = measures.measure(prepared, result, "scene")
    assert (found.core_difference, found.product_color, found.product_color_largest) == (0, 0, 0)
    assert 0.9 < found.edges < 1  # a filter at the core's border sees the ring


def test_without_a_core_edges_are_the_masks():
    rgb = images.resize(samples.load("products/sneaker_black"), 64)
    mask = np.zeros((64, 64, 1), "float32")
    mask[:, 30:33] = 1
    thin = product.Product(rgb, mask, None)
    found = measures.measure(thin, 1 - rgb, "scene")
    assert found.core_difference == 0
    assert found.share == pytest.approx(3 / 64)
    assert found.edges == pytest.approx(metrics.edge_preservation(1 - rgb, rgb, mask))
    assert found.product_color == pytest.approx(metrics.color_difference(1 - rgb, rgb, mask))
    nothing = measures.measure(product.Product(rgb, mask * 0, None), 1 - rgb, "scene")
    assert (nothing.share, nothing.fill, nothing.product_color, nothing.core_difference) == (0, 0, 0, 0)


def test_another_size_is_refused(prepared):
    with pytest.raises(ImageError, match=r"\(80, 120, 3\).*\(160, 240, 3\)"):
        measures.measure(prepared, prepared.rgb[::2, ::2], "scene")


def lettered(*lines):
    """Dark words on light gray: (text, left, top, px of height)."""
    picture = Image.new("RGB", (600, 300), (200, 205, 210))
    boxes = []
    for words, left, top, height in lines:
        font = ImageFont.load_default(height)
        ImageDraw.Draw(picture).text((left, top), words, fill=(40, 30, 60), font=font)
        boxes.append(ImageDraw.Draw(picture).textbbox((left, top), words, font=font))
    return (np.asarray(picture) / 255).astype("float32"), boxes


def overlap(a, b):
    """Intersection over union of two boxes."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(0, wide) * max(0, high)
    area = lambda box: (box[2] - box[0]) * (box[3] - box[1])  # noqa: E731
    return both / (area(a) + area(b) - both)


@pytest.mark.parametrize("negative", [False, True])
def test_text_is_found_where_it_is(negative):
    rgb, boxes = lettered(("Organic Tea", 40, 30, 40), ("MADE IN ITALY", 300, 220, 22))
    found = text.text_boxes(1 - rgb if negative else rgb)
    assert len(found) == len(boxes)
    for box, expected in zip(found, boxes, strict=True):
        assert overlap(box, expected) > 0.5


@pytest.mark.parametrize(
    "rgb", [np.zeros((40, 40, 3)), np.ones((16, 500, 3)), np.zeros((1, 1, 3)), np.ones((3, 900, 3))]
)
def test_no_text_where_nothing_is(rgb):
    assert text.text_boxes(rgb.astype("float32")) == []


def test_text_regions_touched():
    rgb, _ = lettered(("Organic Tea", 40, 30, 40), ("MADE IN ITALY", 300, 220, 22))
    mask = np.zeros((300, 600, 1), "float32")
    mask[:150, :350] = 1  # the first line is on the product
    prepared = product.Product(rgb, mask, None)
    ground = np.where(mask == 1, rgb, 1 - rgb)
    scene = measures.measure(prepared, ground, "scene")
    assert (scene.text_regions, scene.text_found) == (1, 2)
    cut_out = measures.measure(prepared, ground, "clean")  # the second line is not in the picture any more
    assert (cut_out.text_regions, cut_out.text_found) == (0, 1)
    whole = measures.measure(prepared, 1 - rgb, "whole")
    assert (whole.text_regions, whole.text_found) == (2, 2)
    assert measures.measure(prepared, 1 - rgb, "whole", texts=text.text_boxes(rgb)) == whole
    assert measures.measure(prepared, 1 - rgb, "whole", texts=[]).text_found == 0


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg"])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_written_file(prepared, suffix, bits, tmp_path):
    file = images.write(tmp_path / f"out{suffix}", prepared.rgb, bits=bits, quality=60)
    found = measures.measure_file(file, prepared, "scene")
    if suffix in (".png", ".tif"):
        assert found.core_difference == pytest.approx(0, abs=1e-4)
        assert found.product_color < 1e-3
    else:
        kept = product.core(prepared.mask)[..., 0]
        with Image.open(file) as decoded:
            moved = np.abs(np.asarray(decoded).astype(int) - images.to_uint8(prepared.rgb))[kept].max()
        assert found.core_difference == pytest.approx(moved, abs=1e-3)
        assert found.product_color > 0.1


def test_a_written_jpeg_of_a_transparent_product_is_compared_over_white(prepared, tmp_path):
    alpha = np.full((*prepared.rgb.shape[:2], 1), 0.5, "float32")
    see_through = product.Product(prepared.rgb, prepared.mask, alpha)
    file = images.write(tmp_path / "out.jpg", see_through.rgb, alpha, quality=95)
    assert measures.measure_file(file, see_through, "scene").core_difference < 30
    file = images.write(tmp_path / "out.png", see_through.rgb, alpha)
    assert measures.measure_file(file, see_through, "scene").core_difference == pytest.approx(0, abs=1e-3)
