"""The weighted sum of losses, its targets, regions and blending, on a small network known to the digit."""

import numpy as np
import pytest

from stylelab.backend import tf
from stylelab.errors import SettingsError
from stylelab.features import FeatureExtractor
from stylelab.losses import (
    STYLE_LOSSES,
    PerceptualObjective,
    blend,
    content_loss,
    gram_loss,
    gram_matrix,
    mean_covariance,
    total_variation,
    weave,
)

rng = np.random.default_rng(0)
CHANNELS = [rng.normal(0, 1, shape) for shape in ((3, 6), (6, 10), (3, 4))]


def pyramid(images):
    """Pointwise features, and coarse ones of 4 x 4 pixels: what a pixel belongs to is known exactly."""
    images = tf.convert_to_tensor(images)
    first, second, content = (tf.constant(matrix, images.dtype) for matrix in CHANNELS)
    fine = tf.abs(images @ first)
    coarse = tf.abs(tf.nn.avg_pool2d(fine, 4, 4, "VALID") @ second)
    return {"fine": fine, "coarse": coarse, "content": tf.nn.avg_pool2d(images @ content, 2, 2, "VALID")}


def objective(**settings):
    return PerceptualObjective(pyramid, content_layers=("content", "fine"), style_layers=("fine", "coarse"), **settings)


def picture(seed, height=16, width=24, batch=1, tint=(1, 1, 1)):
    return np.random.default_rng(seed).random((batch, height, width, 3)) * tint


PHOTO, PAINTING, IMAGE = picture(1), picture(2, 20, 12, tint=(1, 0.6, 0.2)), picture(3)
REDS, BLUES = picture(4, 16, 12, tint=(1, 0.3, 0.1)), picture(5, 16, 12, tint=(0.1, 0.3, 1))


# w2 takes a root of covariances of rank 3: its iteration leaves 1e-4 of the target's size.
TINY = {"gram": 1e-8, "moments": 1e-8, "w2": 5e-4}


def targets(of, photo=PHOTO, painting=PAINTING):
    return of.content_target(photo), of.style_target(painting)


class TestTerms:
    @pytest.mark.parametrize("style_loss", STYLE_LOSSES)
    def test_each_is_the_mean_over_its_layers(self, style_loss):
        of = objective(style_loss=style_loss)
        terms = of(IMAGE, *targets(of))
        statistic, distance = STYLE_LOSSES[style_loss]
        ours, theirs = pyramid(IMAGE), pyramid(PAINTING)
        each = [float(distance(statistic(ours[name]), statistic(theirs[name]))) for name in ("fine", "coarse")]
        assert each[0] != pytest.approx(each[1], rel=0.1)
        np.testing.assert_allclose(terms.style, np.mean(each), rtol=1e-9)
        photo = pyramid(PHOTO)
        each = [float(content_loss(ours[name], photo[name])) for name in ("content", "fine")]
        np.testing.assert_allclose(terms.content, np.mean(each), rtol=1e-9)
        np.testing.assert_allclose(terms.smoothness, total_variation(IMAGE), rtol=1e-9)

    def test_total_is_the_weighted_sum(self):
        of = objective(content_weight=2, style_weight=30, smoothness_weight=0.7)
        terms = of(IMAGE, *targets(of))
        expected = 2 * terms.content + 30 * terms.style + 0.7 * terms.smoothness
        np.testing.assert_allclose(terms.total, expected, rtol=1e-12)

    def test_weave_is_part_of_the_total_and_of_nothing_else(self):
        plain, woven = objective(smoothness_weight=0.7), objective(smoothness_weight=0.7, weave_weight=50.0)
        without, with_it = (of(IMAGE, *targets(of)) for of in (plain, woven))
        np.testing.assert_allclose(with_it.total - without.total, 50.0 * weave(IMAGE), rtol=1e-9)
        assert float(weave(IMAGE)) > 0
        for one, other in zip(with_it[1:], without[1:], strict=True):
            np.testing.assert_array_equal(one, other)

    def test_weights_of_one_call_replace_the_objective_s(self):
        of = objective(content_weight=2, style_weight=30, smoothness_weight=0.7)
        terms = of(IMAGE, *targets(of), weights=tf.constant([5.0, 3.0, 11.0], "float64"))
        np.testing.assert_allclose(terms.total, 5 * terms.content + 3 * terms.style + 11 * terms.smoothness, rtol=1e-12)

    @pytest.mark.parametrize("kept", ["content", "style", "smoothness"])
    def test_a_weight_of_zero_leaves_its_term_out(self, kept):
        of = objective(**{f"{name}_weight": float(name == kept) for name in ("content", "style", "smoothness")})
        terms = of(IMAGE, *targets(of))
        np.testing.assert_allclose(terms.total, getattr(terms, kept), rtol=1e-12)
        assert min(float(term) for term in terms) > 0

    @pytest.mark.parametrize("style_loss", STYLE_LOSSES)
    def test_zero_at_its_targets(self, style_loss):
        of = objective(style_loss=style_loss)
        terms = of(PHOTO, *targets(of, painting=PHOTO))
        assert abs(float(terms.total)) < TINY[style_loss]

    def test_the_gradient_reaches_every_pixel(self):
        of = objective(smoothness_weight=1)
        image = tf.constant(IMAGE)
        with tf.GradientTape() as tape:
            tape.watch(image)
            total = of(image, *targets(of)).total
        assert (np.abs(tape.gradient(total, image)) > 0).all()

    def test_targets_hold_their_layers_only(self):
        of = objective()
        assert list(of.content_target(PHOTO)) == ["content", "fine"]
        assert [list(region) for region in of.style_target(PHOTO)] == [["fine", "coarse"]]

    @pytest.mark.parametrize("style_loss", STYLE_LOSSES)
    def test_both_targets_in_one_pass_are_those_of_two(self, style_loss):
        seen = []

        def counted(images):
            seen.append(images)
            return pyramid(images)

        of = objective(style_loss=style_loss)
        of.extractor = counted
        both = of.targets(PHOTO)
        assert len(seen) == 1
        for one, expected in zip(both, (of.content_target(PHOTO), of.style_target(PHOTO)[0]), strict=True):
            assert list(one) == list(expected)
            for name in one:
                np.testing.assert_array_equal(one[name], expected[name])


class TestRegions:
    left = np.concatenate([np.ones((1, 16, 12, 1)), np.zeros((1, 16, 12, 1))], axis=2)
    halves = np.concatenate([left, 1 - left], axis=-1)
    both = np.concatenate([REDS, BLUES], axis=2)

    @pytest.mark.parametrize("style_loss", STYLE_LOSSES)
    def test_one_region_everywhere_is_no_region(self, style_loss):
        of = objective(style_loss=style_loss)
        plain = of(IMAGE, *targets(of))
        masked = of(IMAGE, *targets(of), np.ones((1, 16, 24, 1)))
        np.testing.assert_allclose([float(t) for t in masked], [float(t) for t in plain], rtol=1e-6)

    @pytest.mark.parametrize("style_loss", STYLE_LOSSES)
    @pytest.mark.parametrize("across", [True, False])
    def test_each_half_has_its_style(self, style_loss, across):
        """Left and right, then above and below: a mask with its axes exchanged fails one of them."""
        of = objective(style_loss=style_loss)
        image, masks = self.both, self.halves
        if not across:
            image, masks = image.swapaxes(1, 2), masks.swapaxes(1, 2)
        content = of.content_target(image)
        reds, blues = of.style_target(REDS)[0], of.style_target(BLUES)[0]
        met = of(image, content, [reds, blues], masks).style
        exchanged = of(image, content, [blues, reds], masks).style
        mixed = of(image, content, [reds]).style
        assert -1e-3 < float(met) < 0.03  # the coarse mask leaks a little over its border
        assert float(exchanged) > 1
        assert float(mixed) > 1
        of.style_layers = ("fine",)
        assert abs(float(of(image, content, [reds, blues], masks).style)) < 1e-3

    def test_targets_of_regions(self):
        of = objective()
        whole = [of.style_target(half)[0] for half in (REDS, BLUES)]
        masked = of.style_target(self.both, self.halves)
        assert len(masked) == 2
        for region, expected in zip(masked, whole, strict=True):
            np.testing.assert_allclose(region["fine"], expected["fine"], rtol=1e-5)
            assert float(gram_loss(region["coarse"], expected["coarse"])) < 0.03  # it leaks a little

    def test_regions_count_by_area(self):
        of = objective()
        quarter = np.zeros((1, 16, 24, 1))
        quarter[:, :, :6] = 1
        masks = np.concatenate([quarter, 1 - quarter], axis=-1)
        style = [of.style_target(REDS)[0], of.style_target(BLUES)[0]]
        content = of.content_target(IMAGE)
        each = [float(of(IMAGE, content, [target], masks[..., r : r + 1]).style) for r, target in enumerate(style)]
        assert each[0] != pytest.approx(each[1], rel=0.1)
        expected = 0.25 * each[0] + 0.75 * each[1]
        np.testing.assert_allclose(of(IMAGE, content, style, masks).style, expected, rtol=1e-6)

    def test_a_mask_finer_than_the_features_is_averaged_not_sampled(self):
        """Stripes, each in the middle of a coarse position: half of it belongs to each, its center to one."""
        of = objective()
        stripes = np.tile([0.0, 1.0, 1.0, 0.0], 6) * np.ones((1, 16, 1))
        stripes = stripes[..., None]
        masks = np.concatenate([stripes, 1 - stripes], axis=-1)
        first, second = of.style_target(IMAGE, masks)
        np.testing.assert_allclose(first["coarse"], second["coarse"], rtol=0.03)
        np.testing.assert_allclose(first["coarse"], gram_matrix(pyramid(IMAGE)["coarse"]), rtol=0.03)

    def test_a_region_s_pixels_alone_move_for_its_style(self):
        """The other region's style is met, so nothing in it is to change."""
        of = objective(content_weight=0)
        of.style_layers = ("fine",)
        image = tf.constant(self.both)
        style = [of.style_target(PAINTING)[0], of.style_target(BLUES)[0]]
        with tf.GradientTape() as tape:
            tape.watch(image)
            total = of(image, of.content_target(PHOTO), style, self.halves).total
        change = np.abs(tape.gradient(total, image))
        assert change[:, :, :12].mean() > 1e4 * change[:, :, 12:].mean()

    def test_each_picture_of_a_batch_has_its_masks(self):
        of = objective()
        images, masks = picture(6, batch=2), np.concatenate([self.halves, self.halves[..., ::-1]])
        style = [of.style_target(REDS)[0], of.style_target(BLUES)[0]]
        single = [
            float(of(images[k : k + 1], of.content_target(images[k : k + 1]), style, masks[k : k + 1]).style)
            for k in range(2)
        ]
        assert single[0] != pytest.approx(single[1], rel=0.01)
        np.testing.assert_allclose(
            of(images, of.content_target(images), style, masks).style, np.mean(single), rtol=1e-6
        )

    def test_more_regions_than_targets_is_an_error(self):
        of = objective()
        with pytest.raises(ValueError, match="zip"):
            of(IMAGE, *targets(of), self.halves)


class TestBlend:
    def test_of_one_target_is_that_target(self):
        target = objective().style_target(PAINTING)
        np.testing.assert_allclose(blend([target], [7])[0]["fine"], target[0]["fine"], rtol=1e-12)

    def test_weights_need_not_sum_to_one(self):
        of = objective()
        one, other = of.style_target(REDS)[0], of.style_target(BLUES)[0]
        mixed = blend([one, other], [3, 1])
        for name in ("fine", "coarse"):
            np.testing.assert_allclose(mixed[name], 0.75 * one[name] + 0.25 * other[name], rtol=1e-12)
            np.testing.assert_allclose(mixed[name], blend([one, other], [0.3, 0.1])[name], rtol=1e-12)

    @pytest.mark.parametrize("style_loss", ["gram", "w2"])
    def test_two_styles_in_equal_parts_are_met_by_one_half_each(self, style_loss):
        of = objective(style_loss=style_loss)
        target = blend([of.style_target(REDS)[0], of.style_target(BLUES)[0]], [1, 1])
        image = np.concatenate([REDS, BLUES], axis=2)
        assert abs(float(of(image, of.content_target(image), [target]).style)) < TINY[style_loss]

    def test_averages_linearly_before_the_distance(self):
        x, y = picture(7), picture(8)
        np.testing.assert_allclose(
            blend([mean_covariance(x), mean_covariance(y)], [1, 1]),
            mean_covariance(np.concatenate([x, y], 1)),
            rtol=1e-9,
        )


class TestSettings:
    def test_an_unknown_style_loss(self):
        with pytest.raises(SettingsError, match="'grams' is not known; choose one of gram, moments, w2"):
            objective(style_loss="grams")

    @pytest.mark.parametrize("name", ["content_weight", "style_weight", "smoothness_weight"])
    @pytest.mark.parametrize("value", [-1, -1e-9, float("nan"), float("inf")])
    def test_a_weight_that_is_none(self, name, value):
        with pytest.raises(SettingsError, match="finite and not negative"):
            objective(**{name: value})


def test_with_a_real_network():
    """The objective and an extractor, together as optimization uses them: compiled, in float32, random weights."""
    layers = {"content_layers": ("block2_conv2",), "style_layers": ("block1_conv1", "block2_conv1")}
    extractor = FeatureExtractor("vgg16", ("block1_conv1", "block2_conv1", "block2_conv2"), weights=None)
    of = PerceptualObjective(extractor, smoothness_weight=1, **layers)
    photo, painting = (picture(seed, 20, 32).astype("float32") for seed in (9, 10))
    content, style = of.content_target(photo), of.style_target(painting)
    assert {name: tuple(f.shape) for name, f in content.items()} == {"block2_conv2": (1, 10, 16, 128)}
    assert tuple(style[0]["block2_conv1"].shape) == (1, 128, 128)

    @tf.function
    def gradient(image):
        with tf.GradientTape() as tape:
            tape.watch(image)
            terms = of(image, content, style)
        return terms, tape.gradient(terms.total, image)

    image = tf.constant(picture(11, 20, 32).astype("float32"))
    terms, slope = gradient(image)
    assert all(float(term) > 0 for term in terms)
    better, _ = gradient(image - 0.01 * slope / tf.norm(slope))
    assert better.total < terms.total
    met, _ = gradient(tf.constant(photo))
    assert float(met.content) < 1e-9
