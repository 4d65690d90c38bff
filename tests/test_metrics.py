"""How good is a picture. SSIM and CIEDE2000 are scikit-image's; style, content distance and edge preservation ours.

Oracles: scikit-image called another way, the pairs published with CIEDE2000, invariants.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage import color
from skimage.metrics import structural_similarity

from stylelab import images, metrics, samples
from stylelab.errors import ImageError

rng = np.random.default_rng(0)
NOISE = rng.random((24, 30, 3)).astype("float32")
SMOOTH = gaussian_filter(NOISE, (2, 2, 0)).astype("float32")


def letters(height=48, width=64):
    """Dark bars on a light ground: edges along both axes, flat parts between."""
    picture = np.full((height, width, 3), 0.8, "float32")
    picture[10:38:7, 8:56] = 0.2
    picture[8:40, 14:50:9] = [0.1, 0.3, 0.5]
    return picture


LETTERS = letters()
BLURRED = gaussian_filter(LETTERS, (2, 2, 0))
NOISY = np.clip(LETTERS + rng.normal(0, 0.2, LETTERS.shape), 0, 1).astype("float32")
COMPARISONS = [metrics.ssim, metrics.color_difference, metrics.edge_preservation]


class TestSsim:
    def test_one_for_itself(self):
        assert metrics.ssim(NOISE, NOISE) == pytest.approx(1)

    def test_is_wang_s(self):
        """Their definition, channel by channel: a Gaussian of 1.5 px cut at 11, population covariance."""
        other = np.clip(SMOOTH + 0.1, 0, 1)
        c1, c2 = 0.01**2, 0.03**2

        def mean(x):
            return gaussian_filter(x, 1.5, truncate=3.5)

        each = []
        for a, b in zip(
            np.moveaxis(NOISE.astype("float64"), -1, 0), np.moveaxis(other.astype("float64"), -1, 0), strict=True
        ):
            m, n = mean(a), mean(b)
            va, vb, vab = mean(a * a) - m * m, mean(b * b) - n * n, mean(a * b) - m * n
            index = (2 * m * n + c1) * (2 * vab + c2) / ((m * m + n * n + c1) * (va + vb + c2))
            each.append(index[5:-5, 5:-5].mean())  # where the whole window is inside
        assert metrics.ssim(NOISE, other) == pytest.approx(np.mean(each), rel=1e-4)

    def test_is_scikit_image_s(self):
        expected = np.mean(
            [
                structural_similarity(
                    NOISE[..., k],
                    SMOOTH[..., k],
                    data_range=1,
                    gaussian_weights=True,
                    sigma=1.5,
                    use_sample_covariance=False,
                )
                for k in range(3)
            ]
        )
        assert metrics.ssim(NOISE, SMOOTH) == pytest.approx(expected, rel=1e-5)

    def test_symmetric_and_lower_for_what_is_less_alike(self):
        assert metrics.ssim(LETTERS, BLURRED) == pytest.approx(metrics.ssim(BLURRED, LETTERS))
        assert metrics.ssim(LETTERS, NOISY) < 0.9 < metrics.ssim(LETTERS, np.clip(LETTERS + 0.02, 0, 1))
        assert metrics.ssim(LETTERS, 1 - LETTERS) < 0.2

    def test_too_small(self):
        assert metrics.ssim(NOISE[:11, :11], NOISE[:11, :11]) == pytest.approx(1)
        with pytest.raises(ImageError, match="at least 11 px, not 30x10"):
            metrics.ssim(NOISE[:10], NOISE[:10])


# Sharma, Wu and Dalal (2005), table 1: those of the 34 pairs whose colors sRGB can show.
PUBLISHED = [
    ((50, 0, 0), (50, -1, 2), 2.3669),
    ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ((50, 2.5, 0), (61, -5, 29), 22.8977),
    ((50, 2.5, 0), (58, 24, 15), 19.4535),
    ((50, 2.5, 0), (50, 3.1736, 0.5854), 1.0),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((61.2901, 3.7196, -5.3901), (61.4292, 2.2480, -4.9620), 1.8731),
    ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ((36.4612, 47.8580, 18.3852), (36.2715, 50.5065, 21.2231), 1.4146),
    ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
    ((90.9257, -0.5406, -0.9208), (88.6381, -0.8985, -0.7239), 1.5381),
    ((6.7747, -0.2908, -2.4247), (5.8714, -0.0985, -2.2286), 0.6377),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


def srgb_of_lab(lab):
    """CIE 15 and IEC 61966-2-1, written out, for a white of D65."""
    level, a, b = lab
    y = (level + 16) / 116
    f = np.array([y + a / 500, y, y - b / 200])
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * [0.95047, 1.0, 1.08883]
    linear = np.linalg.solve(
        [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]], xyz
    )
    return np.where(linear > 0.0031308, 1.055 * np.abs(linear) ** (1 / 2.4) - 0.055, 12.92 * linear)


class TestColorDifference:
    @pytest.mark.parametrize(("first", "second", "expected"), PUBLISHED)
    def test_published_pairs(self, first, second, expected):
        a, b = (np.broadcast_to(srgb_of_lab(lab), (2, 3, 3)) for lab in (first, second))
        assert a.min() >= 0
        assert b.max() <= 1
        assert metrics.color_difference(a, b) == pytest.approx(expected, abs=2e-3)
        assert metrics.color_difference(b, a) == pytest.approx(expected, abs=2e-3)

    def test_zero_for_itself(self):
        assert metrics.color_difference(NOISE, NOISE) == 0

    def test_is_the_mean_over_pixels(self):
        each = color.deltaE_ciede2000(color.rgb2lab(NOISE), color.rgb2lab(SMOOTH))
        assert metrics.color_difference(NOISE, SMOOTH) == pytest.approx(each.mean(), rel=1e-5)

    def test_inside_a_mask(self):
        """From 0.5 on a pixel counts, and fully."""
        changed = NOISE.copy()
        changed[:, :15] = 1 - changed[:, :15]
        left = np.zeros((24, 30, 1), "float32")
        left[:, :15] = 0.5
        assert metrics.color_difference(NOISE, changed, 1 - left) == pytest.approx(
            metrics.color_difference(NOISE, changed)
        )
        assert metrics.color_difference(NOISE, changed, left) == pytest.approx(
            metrics.color_difference(NOISE[:, :15], changed[:, :15]), rel=1e-5
        )
        right = np.roll(left, 15, axis=1)
        assert metrics.color_difference(NOISE, changed, right) == 0

    def test_an_empty_mask(self):
        with pytest.raises(ImageError, match=r"below 0\.5 everywhere"):
            metrics.color_difference(NOISE, SMOOTH, np.full((24, 30, 1), 0.49))


class TestEdgePreservation:
    def test_one_for_itself(self):
        assert metrics.edge_preservation(LETTERS, LETTERS) == 1
        assert metrics.edge_preservation(NOISE, NOISE) == 1

    def test_less_edges_are_less(self):
        none = np.full_like(LETTERS, 0.5)
        half = LETTERS.copy()
        half[:, 32:] = 0.8
        values = [metrics.edge_preservation(picture, LETTERS) for picture in (LETTERS, BLURRED, half, none)]
        assert 0 <= values[3] < 0.2
        assert values[3] < values[2] < 0.7
        assert values[1] < 0.7
        assert metrics.edge_preservation(gaussian_filter(LETTERS, (4, 4, 0)), LETTERS) < values[1]

    def test_noise_costs_the_more_the_fainter_the_edges(self):
        def after(noise, contrast):
            faint = (0.5 + contrast * (LETTERS - 0.5)).astype("float32")
            grain = np.random.default_rng(1).normal(0, noise, LETTERS.shape)
            return metrics.edge_preservation(np.clip(faint + grain, 0, 1), faint)

        assert after(0.05, 1) > after(0.2, 1) > after(0.6, 1)
        assert after(0.2, 1) > 0.9 > after(0.2, 0.2) > after(0.2, 0.1)

    def test_an_edge_elsewhere_is_lost(self):
        assert metrics.edge_preservation(np.roll(LETTERS, 4, axis=0), LETTERS) < 0.7

    def test_brightness_and_color_do_not_matter(self):
        """Gradients of the luminance; a shift changes none, a recoloring that keeps luminance neither."""
        assert metrics.edge_preservation(LETTERS + 0.15, LETTERS) == pytest.approx(1, abs=1e-5)
        gray = np.repeat(images.luminance(LETTERS), 3, axis=-1)
        assert metrics.edge_preservation(gray, LETTERS) == pytest.approx(1, abs=1e-5)

    def test_new_edges_in_flat_parts_do_not_count(self):
        """The question is what became of the reference's edges; style may paint elsewhere."""
        painted = LETTERS.copy()
        painted[44:, :] = NOISE[:4, :1]
        assert metrics.edge_preservation(painted, LETTERS) > 0.99
        assert metrics.edge_preservation(LETTERS, painted) < 0.99

    def test_a_step_by_hand(self):
        """One edge of 0.6, of which 0.3 is left: (2 g r + c) / (g² + r² + c) on it."""
        step, less = np.full((2, 20, 20, 3), 0.2, "float32")
        step[:, 10:], less[:, 10:] = 0.8, 0.5
        c = 0.0026
        expected = (2 * 0.3 * 0.6 + c) / (0.3**2 + 0.6**2 + c)
        assert metrics.edge_preservation(less, step) == pytest.approx(expected, rel=1e-4)
        assert metrics.edge_preservation(less.swapaxes(0, 1), step.swapaxes(0, 1)) == pytest.approx(expected, rel=1e-4)

    def test_without_edges_all_are_kept(self):
        flat = np.full((12, 12, 3), 0.3, "float32")
        assert metrics.edge_preservation(NOISE[:12, :12], flat) == 1

    def test_inside_a_mask(self):
        spoiled = LETTERS.copy()
        spoiled[:, 32:] = 0.5
        left = np.zeros((48, 64, 1), "float32")
        left[:, :31] = 1
        assert metrics.edge_preservation(spoiled, LETTERS, left) == 1
        assert metrics.edge_preservation(spoiled, LETTERS, 1 - left) < 0.3
        whole = metrics.edge_preservation(spoiled, LETTERS)
        assert metrics.edge_preservation(spoiled, LETTERS, np.full_like(left, 0.2)) == pytest.approx(whole)


class TestBrokenInput:
    @pytest.mark.parametrize("compare", [*COMPARISONS, metrics.content_distance])
    def test_different_sizes(self, compare):
        with pytest.raises(ImageError, match=r"\(24, 30, 3\) and \(23, 30, 3\) cannot be compared"):
            compare(NOISE, NOISE[:23])

    @pytest.mark.parametrize("compare", [*COMPARISONS, metrics.content_distance, metrics.style_distance])
    @pytest.mark.parametrize(
        ("picture", "words"),
        [
            (np.full((24, 30, 3), 200, "uint8"), "divide by 255"),
            (np.full((24, 30, 3), 200.0), "outside 0..1"),
            (np.full((24, 30, 3), np.nan), "NaN"),
            (NOISE[None], "shape"),
            (NOISE[..., :1], "shape"),
        ],
    )
    def test_what_is_no_image(self, compare, picture, words):
        with pytest.raises(ImageError, match=words):
            compare(picture, picture)

    @pytest.mark.parametrize("compare", [metrics.color_difference, metrics.edge_preservation])
    @pytest.mark.parametrize("shape", [(24, 30), (30, 24, 1), (24, 30, 3), (1, 24, 30, 1)])
    def test_a_mask_of_another_shape(self, compare, shape):
        with pytest.raises(ImageError, match=r"mask has the shape .* must be \(24, 30, 1\)"):
            compare(NOISE, SMOOTH, np.ones(shape))


@pytest.mark.weights
class TestDistances:
    """At 128 px, to be quick; the relations hold at any size."""

    photo, painting, other = (
        staticmethod(lambda name=name: samples.load(name))
        for name in ("sneaker_knit", "hokusai_great_wave", "vangogh_starry_night")
    )

    def test_style_distance_is_zero_for_itself(self):
        assert metrics.style_distance(self.painting(), self.painting(), 128) == pytest.approx(0, abs=1e-6)

    def test_a_photo_is_far_and_a_part_of_the_painting_is_near(self):
        painting = self.painting()
        part = painting[: painting.shape[0] * 3 // 4]
        near, far = metrics.style_distance(part, painting, 128), metrics.style_distance(self.photo(), painting, 128)
        assert near < 0.2 < far < 3

    def test_grows_along_the_way_from_the_painting_to_the_photo(self):
        painting = images.resize(self.painting(), (128, 128))
        photo = images.resize(self.photo(), (128, 128))
        way = [metrics.style_distance((1 - t) * painting + t * photo, painting, 128) for t in (0, 0.3, 0.6, 1)]
        assert way == sorted(way)

    def test_style_forgets_where_things_are_and_content_does_not(self):
        painting = images.resize(self.painting(), (128, 128))
        mirrored = painting[:, ::-1]
        assert metrics.style_distance(mirrored, painting, 128) < 0.2
        assert metrics.content_distance(mirrored, painting, 128) > 0.5

    def test_content_distance_is_zero_for_itself_and_grows_with_noise(self):
        photo = images.resize(self.photo(), 128)
        noise = np.random.default_rng(0).normal(0, 1, photo.shape).astype("float32")
        distances = [metrics.content_distance(np.clip(photo + s * noise, 0, 1), photo, 128) for s in (0, 0.05, 0.2)]
        assert distances[0] == pytest.approx(0, abs=1e-6)
        assert distances[0] < distances[1] < distances[2]

    def test_content_of_another_photo_is_far(self):
        photo, other = (images.resize(x, (128, 128)) for x in (self.photo(), self.other()))
        assert metrics.content_distance(other, photo, 128) > 0.8

    def test_both_are_compared_at_one_size(self):
        """A style's picture at another resolution is the same style; enlarged pictures lose a little."""
        painting = self.painting()
        assert metrics.style_distance(images.resize(painting, 256), painting, 128) < 0.01

    def test_a_strip_has_distances_too(self):
        """At 64 px its short side would be 3 px, less than the network takes."""
        strip = self.painting()[:30, :600]
        assert metrics.style_distance(strip, strip, 64) == pytest.approx(0, abs=1e-6)
        assert metrics.content_distance(strip[:, ::-1], strip, 64) > 0.1

    def test_size_is_that_of_the_comparison(self):
        photo, painting = self.photo(), self.painting()
        assert metrics.style_distance(photo, painting, 48) != pytest.approx(
            metrics.style_distance(photo, painting, 256), rel=0.003
        )

    def test_are_the_documented_sums(self):
        """By hand from the features: the mean over four layers, relative to the painting."""
        from stylelab.features import FeatureExtractor

        of = FeatureExtractor("vgg16")
        ours, theirs = (of(images.resize(x, 128)[None]) for x in (self.photo(), self.painting()))
        errors = []
        for block in (1, 2, 3, 4):
            f, t = (np.asarray(x[f"block{block}_conv1"], "float64") for x in (ours, theirs))
            g, a = (
                x.reshape(-1, x.shape[-1]).T @ x.reshape(-1, x.shape[-1]) / (x.shape[1] * x.shape[2]) for x in (f, t)
            )
            errors.append(np.sum((g - a) ** 2) / np.sum(a**2))
        assert metrics.style_distance(self.photo(), self.painting(), 128) == pytest.approx(np.mean(errors), rel=1e-3)
        square, other = (images.resize(x, (128, 128)) for x in (self.photo(), self.painting()))
        f, t = (np.asarray(of(x[None])["block4_conv2"], "float64") for x in (square, other))
        expected = np.sum((f - t) ** 2) / np.sum(t**2)
        assert metrics.content_distance(square, other, 128) == pytest.approx(expected, rel=1e-3)


# ---- checkerboard ----------------------------------------------------------------------------------------------


def waves(period, size=(96, 80), amplitude=0.05):
    """A smooth picture, and the same with a pattern of this period."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    smooth = np.repeat((0.5 + 0.2 * np.sin(rows / 9 + columns / 13))[..., None], 3, -1)
    pattern = np.cos(2 * np.pi * (rows + columns) / period)[..., None]
    return smooth.astype("float32"), (smooth + amplitude * pattern).astype("float32")


@pytest.mark.parametrize("period", [2, 4])
@pytest.mark.parametrize("size", [(96, 80), (97, 83), (32, 200)])
def test_a_pattern_of_two_or_four_pixels_stands_out(period, size):
    smooth, patterned = waves(period, size)
    assert metrics.checkerboard(smooth) < 10
    assert metrics.checkerboard(patterned) > 1000
    fainter = waves(period, size, amplitude=0.01)[1]
    assert metrics.checkerboard(smooth) < metrics.checkerboard(fainter) < metrics.checkerboard(patterned)


@pytest.mark.parametrize("period", [3, 5, 10])
def test_patterns_of_other_periods_do_not_count(period):
    assert metrics.checkerboard(waves(period)[1]) < 10


def test_a_pattern_in_one_color_counts():
    smooth, patterned = waves(2)
    smooth[..., 2] = patterned[..., 2]
    assert metrics.checkerboard(smooth) > 1000


def test_a_checkerboard_does_not_depend_on_contrast_brightness_or_mirroring():
    noisy = np.random.default_rng(0).random((64, 64, 3), dtype="float32")
    measured = metrics.checkerboard(noisy)
    assert measured < 5, "of noise every frequency has its share"
    assert metrics.checkerboard(0.5 * noisy + 0.25) == pytest.approx(measured, rel=1e-3)
    assert metrics.checkerboard(np.swapaxes(noisy, 0, 1)) == pytest.approx(measured, rel=1e-3)


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_flat_picture_has_no_checkerboard(value):
    assert metrics.checkerboard(np.full((40, 40, 3), value, "float32")) == pytest.approx(1, abs=0.01)


def test_a_picture_too_small_for_a_spectrum_is_refused():
    with pytest.raises(ImageError, match="at least 32 px, not 35x31"):
        metrics.checkerboard(np.zeros((31, 35, 3), "float32"))
