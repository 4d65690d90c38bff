"""The input gate: each flaw is found when it is made here, and no shipped photo has one."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from stylelab import images, samples
from stylelab.catalog import quality


def picture(rgb, alpha=None):
    return images.Picture(np.clip(rgb, 0, 1).astype("float32"), alpha, b"", 8, ())


def kinds(rgb, **options):
    return [flaw.kind for flaw in quality.flaws(picture(rgb), **options)]


@pytest.fixture(scope="module")
def photo():
    return images.resize(samples.load("products/vintage_camera"), 700)


@pytest.mark.parametrize("name", samples.names("products"))
def test_no_shipped_photo_is_blamed(name):
    assert quality.flaws(images.open_picture(samples.path(f"products/{name}"))) == []


@pytest.mark.parametrize("name", samples.names("photos"))
def test_no_photo_of_nature_is_blamed(name):
    assert kinds(samples.load(f"photos/{name}")) in ([], ["small"])


def test_each_flaw_alone(photo):
    noise = np.random.default_rng(0).normal(0, 10 / 255, photo.shape)
    made = {
        "small": images.resize(photo, 300),
        "blurred": gaussian_filter(photo, (3, 3, 0)),
        "noisy": photo + noise,
        "clipped": 1 - 4 * (1 - photo),
        "compressed": jpeg(photo, 20),
    }
    for kind, rgb in made.items():
        assert kinds(rgb) == [kind]


def jpeg(rgb, quality):
    buffer = io.BytesIO()
    Image.fromarray(images.to_uint8(rgb)).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer)).astype("float32") / 255


def test_the_sentence_says_which_photo_and_what_to_do(photo):
    (flaw,) = quality.flaws(picture(images.resize(photo, 300)), path="shoes/a.jpg")
    assert flaw.sentence == "shoes/a.jpg is small (197x300 px): give one of at least 500 px on its long side."
    (flaw,) = quality.flaws(picture(images.resize(photo, 300)))
    assert flaw.sentence.startswith("The photo is small")


@pytest.mark.parametrize("sigma", [0.5, 0.8, 1.5, 2.5])
def test_blur_width_is_that_of_the_edge(sigma):
    edge = np.zeros((200, 200, 3))
    edge[:, 100:] = 0.8
    edge[100:] += 0.2
    assert quality.blur_width(gaussian_filter(edge, (sigma, sigma, 0))) == pytest.approx(sigma, rel=0.15)


def test_blur_is_that_of_the_sharpest_part(photo):
    ground = gaussian_filter(photo, (8, 8, 0))
    ground[250:400, 150:300] = photo[250:400, 150:300]
    assert quality.blur_width(ground) < 1
    assert quality.blur_width(ground * 0.4) == pytest.approx(quality.blur_width(ground), rel=0.1)  # not of contrast


@pytest.mark.parametrize("sigma", [1, 3, 8])
def test_noise_level_is_its_standard_deviation(sigma):
    rng = np.random.default_rng(sigma)
    gray = 0.5 + rng.normal(0, sigma / 255, (320, 320, 1)) + np.linspace(-0.2, 0.2, 320)[None, :, None]
    gray[::32] = 0.2  # edges do not count as noise
    assert quality.noise_level(np.repeat(gray, 3, -1)) == pytest.approx(sigma, rel=0.15)


def test_clipped_shares():
    rgb = np.full((50, 50, 3), 0.5)
    rgb[10:20, 10:20] = 1
    rgb[30:35, 10:20] = 0
    assert quality.clipped_shares(rgb) == pytest.approx((100 / 2500, 50 / 2500))
    rgb[30:35, 10:20] = (1, 0, 0)  # a strong color is not lost
    assert quality.clipped_shares(rgb) == pytest.approx((100 / 2500, 0))
    rgb[30:, :] = 0.97  # a white ground, from one side
    assert quality.clipped_shares(rgb) == pytest.approx((100 / 1500, 0))
    framed = np.full((50, 50, 3), 1.0)  # a white ground all around shows through holes, too
    framed[10:40, 10:40] = 0.5
    framed[20:30, 20:30] = 1
    assert quality.clipped_shares(framed) == (0, 0)
    framed[12:18, 12:18] = (1, 1, 0.2)
    assert quality.clipped_shares(framed) == pytest.approx((36 / 800, 0))


@pytest.mark.parametrize(("setting", "table", "turn"), [(10, 60, 0), (20, 30, 1), (30, 20, 2), (50, 12, 3)])
def test_jpeg_step_is_the_encoders(photo, setting, table, turn):
    """The standard's table (ITU-T T.81, K.1) has 11, 12, 12, 14, 10 there; libjpeg multiplies by 50 / quality."""
    decoded = np.rot90(jpeg(photo[:501, :403], setting), turn)
    assert quality.jpeg_step(decoded) == pytest.approx(table, abs=1)
    assert quality.jpeg_step(jpeg(decoded, 98)) == pytest.approx(table, abs=1)  # saved well afterwards


def test_no_step_where_there_was_none(photo):
    assert quality.jpeg_step(photo) == 0
    assert quality.jpeg_step(np.random.default_rng(0).random((400, 400, 3))) == 0


@pytest.mark.parametrize("size", [(1, 1), (7, 900), (600, 5), (33, 33)])
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_flat_and_tiny_pictures(size, level):
    assert set(kinds(np.full((*size, 3), level))) <= {"small", "clipped"}


def test_what_alpha_hides_is_not_judged(photo):
    hidden = np.where(np.arange(photo.shape[0])[:, None, None] < 350, photo, 0.0)
    alpha = (np.arange(photo.shape[0])[:, None, None] < 350) * np.ones((1, photo.shape[1], 1), "float32")
    assert quality.flaws(picture(hidden, alpha.astype("float32"))) == []
