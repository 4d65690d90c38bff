"""What a classifier sees in a set, and paired distances. All ours; oracles: a classifier made by hand, NumPy."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from stylelab import images, metrics, samples
from stylelab.errors import ImageError, SettingsError

rng = np.random.default_rng(0)
PICTURES = rng.random((6, 28, 28, 3)).astype("float32")


def by_first_pixel(confidence):
    """A classifier made by hand: the class is in the red of the first pixel, in tenths; its probability is given."""

    def classify(pictures):
        labels = np.rint(10 * np.asarray(pictures)[:, 0, 0, 0]).astype(int)
        probabilities = np.full((len(labels), 10), (1 - confidence) / 9)
        probabilities[np.arange(len(labels)), labels] = confidence
        return np.log(probabilities) + 3.0  # logits have any level

    return classify


def of_classes(labels):
    pictures = np.zeros((len(labels), 28, 28, 3), "float32")
    pictures[:, 0, 0, 0] = np.array(labels) / 10
    return pictures


class TestClassReport:
    def test_shares_and_confidence_by_hand(self):
        report = metrics.class_report(of_classes([0] * 5 + [3] * 3 + [9] * 2), by_first_pixel(0.8))
        np.testing.assert_allclose(report.shares, [0.5, 0, 0, 0.3, 0, 0, 0, 0, 0, 0.2])
        assert report.covered == 3
        assert report.confidence == pytest.approx(0.8)

    def test_a_class_is_covered_from_one_percent_on(self):
        assert metrics.class_report(of_classes([0] * 99 + [1]), by_first_pixel(0.8)).covered == 2
        assert metrics.class_report(of_classes([0] * 100 + [1]), by_first_pixel(0.8)).covered == 1

    def test_by_confident_pictures_only(self):
        everything = of_classes(list(range(10)))
        assert metrics.class_report(everything, by_first_pixel(0.51)).covered == 10
        doubtful = metrics.class_report(everything, by_first_pixel(0.49))
        assert doubtful.covered == 0
        np.testing.assert_allclose(doubtful.shares, 0.1)

    def test_the_order_and_the_batches_do_not_matter(self):
        labels = np.random.default_rng(1).integers(0, 10, 600)
        report = metrics.class_report(of_classes(labels), by_first_pixel(0.7))
        np.testing.assert_allclose(report.shares, np.bincount(labels, minlength=10) / 600)
        np.testing.assert_allclose(
            report.shares, metrics.class_report(of_classes(labels[::-1]), by_first_pixel(0.7))[2]
        )

    def test_other_sizes_are_resized(self):
        seen = []

        def classify(pictures):
            seen.append(pictures)
            return np.zeros((len(pictures), 10))

        metrics.class_report(np.full((2, 64, 50, 3), 0.3), classify)
        assert seen[0].shape == (2, 28, 28, 3)
        np.testing.assert_allclose(seen[0], 0.3, atol=1e-6)

    @pytest.mark.parametrize(
        ("pictures", "words"),
        [
            (PICTURES[:1], "has 1 pictures and must have at least 2"),
            (PICTURES[:0], "has 0 pictures"),
            (PICTURES[0], r"must have the shape \[N, height, width, 3\]"),
            (np.full_like(PICTURES, np.nan), "NaN"),
            (PICTURES * 255, "outside 0..1"),
        ],
    )
    def test_what_is_no_set(self, pictures, words):
        with pytest.raises(ImageError, match=words):
            metrics.class_report(pictures, by_first_pixel(0.8))

    @pytest.mark.parametrize(
        "classifier", [lambda x: np.zeros(len(x)), lambda x: np.full((len(x), 10), np.nan), lambda x: 0.0]
    )
    def test_what_is_no_classifier(self, classifier):
        with pytest.raises(SettingsError, match=r"finite logits of shape \[6, classes\]"):
            metrics.class_report(PICTURES, classifier)


class TestGarmentClassifier:
    def test_is_small(self):
        network = metrics.build_garment_classifier()
        assert network.count_params() < 150_000
        assert network(PICTURES).shape == (6, 10)
        assert samples.weights("garment_classifier").stat().st_size < 1_000_000, "so it is no test of the tier weights"

    def test_is_loaded_once_and_frozen(self):
        network = metrics.garment_classifier()
        assert network is metrics.garment_classifier()
        assert not network.trainable_weights

    def test_a_picture_s_class_does_not_depend_on_its_batch_mates(self):
        network = metrics.garment_classifier()
        np.testing.assert_allclose(network(PICTURES)[:1], network(PICTURES[:1]), atol=1e-4)

    def test_it_knows_real_garments(self):
        """Test pictures of Fashion-MNIST that ship; small convolutional networks know nine in ten of them."""
        from stylelab import datasets

        pictures, labels, names = datasets.garments("test")
        assert len(names) == 10
        logits = np.asarray(metrics.garment_classifier()(pictures))
        assert (logits.argmax(1) == labels).mean() > 0.85
        report = metrics.class_report(pictures)
        assert report.covered == 10
        np.testing.assert_allclose(report.shares, 0.1, atol=0.03)
        few = metrics.class_report(pictures[np.isin(labels, (1, 8))])  # trousers and bags
        assert few.covered <= 4
        assert few.shares[[1, 8]].sum() > 0.9

    def test_half_of_one_and_half_of_another_make_it_doubt(self):
        from stylelab import datasets

        pictures = datasets.garments("test").pictures[::5]
        blended = (pictures + np.roll(pictures, len(pictures) // 3, 0)) / 2
        assert metrics.class_report(blended).confidence < metrics.class_report(pictures).confidence - 0.05


class TestL1:
    def test_by_hand(self):
        a, b = np.zeros((2, 2, 3), "float32"), np.zeros((2, 2, 3), "float32")
        b[0, 0] = [0.3, 0.6, 0.9]
        assert metrics.l1_distance(a, b) == pytest.approx(1.8 / 12)
        assert metrics.l1_distance(a, 1 - a) == 1

    def test_zero_for_itself_and_symmetric(self):
        assert metrics.l1_distance(PICTURES[0], PICTURES[0]) == 0
        assert metrics.l1_distance(PICTURES[0], PICTURES[1]) == metrics.l1_distance(PICTURES[1], PICTURES[0]) > 0

    @pytest.mark.parametrize("compare", [metrics.l1_distance, metrics.perceptual_distance])
    def test_broken_input(self, compare):
        with pytest.raises(ImageError, match="cannot be compared"):
            compare(PICTURES[0], PICTURES[0, 1:])
        for picture, words in ((PICTURES, "shape"), (PICTURES[0] * 300, "outside 0..1"), (PICTURES[0] * np.nan, "NaN")):
            with pytest.raises(ImageError, match=words):
                compare(picture, picture)


class TestPerceptualBrokenInput:
    @pytest.mark.parametrize(
        ("a", "b", "words"),
        [
            (PICTURES, PICTURES[:5], "cannot be compared"),
            (PICTURES[:0], PICTURES[:0], "has 0 pictures"),
            (PICTURES[0], PICTURES[0], r"must have the shape \[N, height, width, 3\]"),
            (PICTURES, np.full_like(PICTURES, np.nan), "NaN"),
        ],
    )
    def test_no_pairs(self, a, b, words):
        with pytest.raises(ImageError, match=words):
            metrics.perceptual_distances(a, b)


@pytest.mark.weights
class TestPerceptualDistance:
    photo = staticmethod(lambda: images.resize(samples.load("sneaker_knit"), (64, 64)))

    def test_is_zhang_s_formula(self):
        """Layer by layer and position by position."""
        from stylelab.features import FeatureExtractor

        names = ["block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3"]
        of = FeatureExtractor("vgg16", names)
        a, b = self.photo(), np.clip(self.photo() + 0.1 * rng.normal(0, 1, (64, 64, 3)), 0, 1).astype("float32")
        f, g = of(a[None]), of(b[None])
        layers = []
        for name in names:
            x, y = (np.asarray(h[name], "float64").reshape(-1, h[name].shape[-1]) for h in (f, g))
            each = []
            for p, q in zip(x, y, strict=True):
                p, q = (v / np.sqrt(v @ v) if v @ v else v for v in (p, q))
                each.append((p - q) @ (p - q))
            layers.append(sum(each) / len(each))
        assert metrics.perceptual_distance(a, b) == pytest.approx(sum(layers) / 5, rel=1e-4)

    def test_zero_for_itself_symmetric_and_bounded(self):
        a, b = self.photo(), 1 - self.photo()
        assert metrics.perceptual_distance(a, a) == pytest.approx(0, abs=1e-6)
        assert metrics.perceptual_distance(a, b) == pytest.approx(metrics.perceptual_distance(b, a), rel=1e-5)
        assert 0 < metrics.perceptual_distance(a, b) < 2
        black = np.zeros((16, 16, 3))
        assert np.isfinite(metrics.perceptual_distance(black, black + 1))

    def test_sees_blur_that_l1_hardly_sees(self):
        """What it is for (Zhang et al. 2018, figure 1): a blurred picture is farther than a slightly darker one."""
        a = self.photo()
        blurred, darker = gaussian_filter(a, (1, 1, 0)), a - 0.03 * (a > 0.03)
        assert metrics.l1_distance(a, blurred) < metrics.l1_distance(a, darker)
        assert metrics.perceptual_distance(a, blurred) > metrics.perceptual_distance(a, darker)
        worse = gaussian_filter(a, (2, 2, 0))
        assert metrics.perceptual_distance(a, worse) > metrics.perceptual_distance(a, blurred)

    def test_of_many_is_that_of_each(self):
        """More than are computed at once: 2¹⁸ pixels are 64 pictures of this size."""
        many = np.random.default_rng(1).random((70, 64, 64, 3)).astype("float32")
        other = many[::-1].copy()
        found = metrics.perceptual_distances(many, other)
        assert found.shape == (70,)
        for k in (0, 69):
            assert found[k] == pytest.approx(metrics.perceptual_distance(many[k], other[k]), rel=1e-3)

    def test_too_small(self):
        with pytest.raises(ImageError, match="at least 16 px"):
            metrics.perceptual_distances(PICTURES[:, :12], PICTURES[:, :12])
