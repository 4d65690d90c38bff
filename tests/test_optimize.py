"""Optimizing the picture. The unit tier uses VGG16 with random weights on tiny pictures: every mechanism, no beauty."""

import itertools
import math
import types

import numpy as np
import pytest

from stylelab import images, metrics, samples
from stylelab import optimize as module
from stylelab.descent import adam
from stylelab.errors import ImageError, ResourceError, SettingsError
from stylelab.optimize import Optimize, pyramid_sizes, steps_per_scale
from stylelab.stylizers import Style

rng = np.random.default_rng(0)
PHOTOS = images.resize(rng.random((2, 8, 10, 3)), (32, 40))
PAINTING = images.resize(rng.random((12, 9, 3)), (48, 36))
QUICK = {
    "weights": None,
    "steps": 6,
    "first_size": 24,
    "dtype": "float32",
    "style_layers": ("block1_conv1", "block2_conv1"),
    "content_layers": ("block3_conv1",),
}


def tiny(**settings):
    """An optimizer on a random network; all share that network, since its settings are the same."""
    return Optimize(**{**QUICK, **settings})


class TestScales:
    @pytest.mark.parametrize("size", [1, 16, 127, 128, 129, 255, 256, 257, 384, 1000, 4096])
    @pytest.mark.parametrize("start", [16, 100, 128])
    def test_fewest_scales_that_at_most_double_and_end_at_the_size(self, size, start):
        sizes = pyramid_sizes(size, start)
        assert sizes[-1] == size
        if size <= start:
            assert sizes == [size]
            return
        assert sizes[0] == start
        ratios = [b / a for a, b in itertools.pairwise(sizes)]
        assert max(ratios) <= 2.05 and min(ratios) > 1  # rounding to pixels
        assert start * 2 ** (len(sizes) - 2) < size  # one scale less would have to more than double

    @pytest.mark.parametrize("steps", [1, 2, 5, 60, 310, 1000])
    @pytest.mark.parametrize("scales", [1, 2, 3, 6])
    def test_steps_are_all_used_and_fall(self, steps, scales):
        split = steps_per_scale(steps, scales)
        assert len(split) == scales and min(split) >= 1
        assert sum(split) == max(steps, scales) or steps < scales * 2
        assert split == sorted(split, reverse=True)

    def test_the_measured_schedule(self):  # DESIGN: 150 + 100 + 60
        assert np.allclose(steps_per_scale(310, 3), [150, 100, 60], atol=10)


class TestContract:
    def test_same_seed_same_picture_and_other_seed_another_from_noise(self):
        runs = [tiny(start="noise").stylize(PHOTOS[:1], PAINTING, seed=s) for s in (3, 3, 4)]
        np.testing.assert_array_equal(runs[0], runs[1])
        assert np.abs(runs[0] - runs[2]).max() > 0.05

    def test_from_content_the_seed_changes_nothing(self):
        a, b = (tiny().stylize(PHOTOS[:1], PAINTING, seed=s) for s in (0, 1))
        np.testing.assert_array_equal(a, b)

    @pytest.mark.parametrize("start", ["content", "noise"])
    def test_batch_mates_do_not_matter(self, start):
        stylizer = tiny(start=start)
        together = stylizer.stylize(PHOTOS, PAINTING)
        alone = np.concatenate([stylizer.stylize(p[None], PAINTING) for p in PHOTOS])
        np.testing.assert_array_equal(together, alone)

    @pytest.mark.parametrize("size", [(16, 16), (17, 31), (33, 16), (16, 200), (41, 23)])
    def test_output_has_the_inputs_size_and_range(self, size):
        photo = images.resize(PHOTOS[:1], size)
        result = tiny(steps=3).stylize(photo, PAINTING)
        assert result.shape == photo.shape and result.dtype == np.float32
        assert result.min() >= 0 and result.max() <= 1 and np.isfinite(result).all()
        assert np.abs(result - photo).max() > 0.01  # something happened

    def test_the_input_is_not_changed(self):
        before = PHOTOS.copy(), PAINTING.copy()
        tiny().stylize(PHOTOS, PAINTING)
        np.testing.assert_array_equal(PHOTOS, before[0])
        np.testing.assert_array_equal(PAINTING, before[1])

    @pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
    def test_constant_content_and_style_stay_finite(self, value):
        flat = np.full((1, 20, 24, 3), value, "float32")
        assert np.isfinite(tiny(steps=3).stylize(flat, flat[0])).all()

    def test_strength_pulls_away_from_the_photo_step_by_step(self):
        stylizer = tiny(steps=30, style_weight=1000.0)
        moved = [np.abs(stylizer.stylize(PHOTOS[:1], PAINTING, strength=s) - PHOTOS[:1]).mean() for s in (0, 0.3, 1)]
        assert moved[0] == 0 and moved[0] < moved[1] < moved[2]

    @pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
    @pytest.mark.parametrize("style_loss", ["gram", "moments", "w2"])
    def test_the_objective_falls(self, optimizer, style_loss):
        stylizer = tiny(optimizer=optimizer, style_loss=style_loss, steps=25, first_size=None, style_weight=100.0)
        seen = []
        result = stylizer.stylize(PHOTOS[:1], PAINTING, callback=seen.append)
        content, style = stylizer.objective.content_target(PHOTOS[:1]), stylizer.objective.style_target(PAINTING[None])
        final = float(stylizer.objective(result, content, style).total)
        assert final < 0.7 * seen[0].loss
        assert result.min() >= 0 and result.max() <= 1


class TestSwag:
    """Smoothed features (SWAG): the same method on another extractor."""

    settings = types.MappingProxyType(
        {"steps": 25, "first_size": None, "style_weight": 1000.0, "smoothness_weight": 0.0}
    )

    def test_the_temperature_reaches_the_extractor_and_the_objective_falls(self):
        stylizer, seen = tiny(swag=30.0, **self.settings), []
        assert stylizer.objective.extractor.swag == 30.0
        result = stylizer.stylize(PHOTOS[:1], PAINTING, callback=seen.append)
        content, style = stylizer.objective.content_target(PHOTOS[:1]), stylizer.objective.style_target(PAINTING[None])
        assert float(stylizer.objective(result, content, style).total) < 0.7 * seen[0].loss
        assert np.abs(result - tiny(**self.settings).stylize(PHOTOS[:1], PAINTING)).mean() > 0.01

    def test_without_it_nothing_is_smoothed(self):
        assert tiny().objective.extractor.swag == 0

    def test_a_bad_temperature_is_refused_before_the_first_step(self):
        with pytest.raises(SettingsError, match="SWAG must be positive"):
            tiny(swag=-1.0).stylize(PHOTOS[:1], PAINTING, callback=pytest.fail)


class TestAdam:
    def test_equals_a_numpy_adam_with_averaged_iterate(self):
        goal = rng.random((1, 5, 4, 3))
        start = rng.random((1, 5, 4, 3)).astype("float32")

        def quadratic(image):
            return None, 2 * (image - goal.astype("float32"))

        ours, _ = adam(quadratic, start, 12, 0.02, lambda *_: None)

        x, m, v, average = start.astype("float64"), 0.0, 0.0, 0.0
        for t in range(1, 13):
            g = 2 * (x - goal)
            m, v = 0.9 * m + 0.1 * g, 0.9 * v + 0.1 * g * g
            rate = 0.02 * 10 ** (-t / 12)
            x = np.clip(x - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.9**t)) + 1e-8), 0, 1)
            average = 0.9 * average + 0.1 * x
        np.testing.assert_allclose(ours, average / (1 - 0.9**12), atol=1e-5)

    def test_moments_travel_to_the_next_scale(self, monkeypatch):
        seen = []

        def watched(*arguments):
            seen.append(arguments[-1])
            return adam(*arguments)

        monkeypatch.setattr(module, "adam", watched)
        tiny(steps=4).stylize(PHOTOS[:1], PAINTING)
        assert seen[0] is None and seen[1][2] == steps_per_scale(4, 2)[0]


class TestStarts:
    def test_any_picture_of_any_size(self):
        start = images.resize(PHOTOS[1], (50, 20))
        stylizer = tiny(start=start, steps=1, learning_rate=1e-6, first_size=None)
        np.testing.assert_allclose(stylizer.stylize(PHOTOS[:1], PAINTING)[0], images.resize(start, (32, 40)), atol=1e-4)

    @pytest.mark.parametrize(
        ("settings", "error", "words"),
        [
            ({"start": "photo"}, SettingsError, "'content', 'noise'"),
            ({"start": np.full((4, 4, 3), np.nan)}, ImageError, "start"),
            ({"steps": 0}, SettingsError, "at least 1 step"),
            ({"optimizer": "sgd"}, SettingsError, "'adam' or 'lbfgs'"),
            ({"learning_rate": 0.0}, SettingsError, "positive"),
            ({"first_size": 8}, SettingsError, "at least 16"),
            ({"dtype": "float16"}, SettingsError, "'bfloat16', 'float32' or None"),
        ],
    )
    def test_bad_settings_are_refused_before_any_work(self, settings, error, words):
        with pytest.raises(error, match=words):
            Optimize(**settings)


class TestStyles:
    def test_an_overwhelming_weight_is_that_style_alone(self):
        other = images.resize(PHOTOS[1], (36, 36))
        alone = tiny().stylize(PHOTOS[:1], PAINTING)
        blended = tiny().stylize(PHOTOS[:1], Style("two", (PAINTING, other), (1e6, 1.0)))
        even = tiny().stylize(PHOTOS[:1], Style("two", (PAINTING, other), (1.0, 1.0)))
        np.testing.assert_allclose(blended, alone, atol=0.02)
        assert np.abs(even - alone).max() > 0.02

    def test_regions_reach_only_their_own_pixels_style(self):
        masks = np.zeros((2, 32, 40, 1), "float32")
        masks[0, :, :20], masks[1, :, 20:] = 1, 1
        other = np.clip(PHOTOS[1] * 0.2, 0, 1)
        both = Style("two", (PAINTING, other), (1.0, 1.0))
        stylizer = tiny(steps=40, content_weight=0.0, smoothness_weight=0.0, style_layers=("block1_conv1",))
        result = stylizer.stylize(PHOTOS[:1], both, regions=masks)[0]
        swapped = stylizer.stylize(PHOTOS[:1], both, regions=masks[::-1])[0]
        dark = other.mean()
        for half, flipped in [((slice(None), slice(24, 40)), (slice(None), slice(0, 16)))]:
            assert abs(result[half].mean() - dark) < abs(result[flipped].mean() - dark)
            assert abs(swapped[flipped].mean() - dark) < abs(swapped[half].mean() - dark)

    @pytest.mark.parametrize(
        ("regions", "words"),
        [
            (np.ones((2, 32, 40, 1)), "shape"),
            (np.ones((1, 32, 40)), "shape"),
            (np.zeros((1, 32, 40, 1)), "white somewhere"),
            (np.full((1, 32, 40, 1), np.nan), "finite"),
        ],
    )
    def test_bad_regions_are_refused(self, regions, words):
        with pytest.raises(SettingsError, match=words):
            tiny().stylize(PHOTOS[:1], PAINTING, regions=regions)

    def test_a_style_too_thin_for_the_network_is_refused(self):
        with pytest.raises(SettingsError, match="too small for the network"):
            tiny().stylize(PHOTOS[:1], np.zeros((4, 300, 3), "float32"))

    def test_targets_are_computed_once_a_scale(self):
        stylizer, calls = tiny(steps=10), []
        original = stylizer.objective.style_target
        stylizer.objective.style_target = lambda *a: calls.append(1) or original(*a)
        stylizer.stylize(PHOTOS, PAINTING)
        assert len(calls) == 2 * len(pyramid_sizes(40, 24))


class TestCallback:
    def test_reports_every_step_of_every_picture(self):
        seen = []
        tiny(steps=7).stylize(PHOTOS, PAINTING, callback=seen.append)
        assert [s.picture for s in seen] == [0] * 7 + [1] * 7
        assert [s.step for s in seen[:7]] == list(range(1, 8)) and {s.steps for s in seen} == {7}
        assert [max(s.size) for s in seen[:7]] == sorted(max(s.size) for s in seen[:7])
        assert seen[6].size == (32, 40) and seen[6].image().shape == (32, 40, 3)
        assert all(math.isfinite(s.loss) and s.seconds > 0 for s in seen)
        s = seen[0]
        settings = tiny()._objective_settings
        total = s.content + settings["style_weight"] * s.style + settings["smoothness_weight"] * s.smoothness
        assert s.loss == pytest.approx(total, rel=1e-4)

    def test_the_last_image_is_the_result(self):
        seen = []
        result = tiny().stylize(PHOTOS[:1], PAINTING, callback=seen.append)[0]
        np.testing.assert_allclose(seen[-1].image(), result, atol=1e-5)

    def test_an_exception_ends_the_run(self):
        def cancel(step):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            tiny().stylize(PHOTOS[:1], PAINTING, callback=cancel)

    def test_lbfgs_keeps_to_its_budget(self):
        seen = []
        tiny(optimizer="lbfgs", steps=20).stylize(PHOTOS[:1], PAINTING, callback=seen.append)
        assert 10 <= len(seen) <= 40  # SciPy checks between line searches


class TestMemory:
    def test_a_run_that_cannot_fit_is_refused_before_its_first_step(self, monkeypatch):
        monkeypatch.setattr("stylelab.machine.memory_available", lambda: 10_000)
        seen = []
        with pytest.raises(ResourceError, match=r"40x32 px needs about .* GB of memory and .* are free"):
            tiny().stylize(PHOTOS[:1], PAINTING, callback=seen.append)
        assert not seen

    def test_the_estimate_grows_with_pixels_and_with_precision(self):
        small, large = tiny().memory_needed(100, 100), tiny().memory_needed(200, 200)
        assert large == pytest.approx(4 * small)
        assert tiny(optimizer="lbfgs").memory_needed(100, 100) > small


@pytest.mark.weights
def test_a_short_run_moves_a_photo_most_of_the_way_to_the_style():
    photo = images.resize(samples.load("leather_sofa"), 128)
    painting = samples.load("vangogh_cafe_terrace")
    result = Optimize(steps=60).stylize(photo[None], painting)[0]
    before, after = (metrics.style_distance(x, painting, 128) for x in (photo, result))
    assert after < 0.3 * before
    assert metrics.content_distance(result, photo, 128) < 1.6


@pytest.mark.weights
def test_kept_product_of_the_real_method_is_exact():
    photo = images.resize(samples.load("cactus_pot"), 96)
    mask = np.zeros((96, 96, 1), "float32")
    mask[20:80, 30:70] = 1
    from stylelab.stylizers import KeepProduct

    result = KeepProduct(Optimize(steps=10), mask).stylize(photo[None], "hokusai_great_wave")[0]
    np.testing.assert_array_equal(result[22:78, 32:68], photo[22:78, 32:68])
    assert np.abs(result - photo)[mask[..., 0] == 0].mean() > 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    ("product", "painting"),
    [
        ("leather_sofa", "vangogh_cafe_terrace"),
        ("cactus_pot", "hokusai_great_wave"),
        ("instant_camera", "vangogh_night_cafe"),
    ],
)
def test_quality_floor(product, painting):
    """Default settings at 384 px: style distance below 0.06 at content distance below 1.6."""
    photo, style = images.resize(samples.load(product), 384), samples.load(painting)
    steps = []
    result = Optimize().stylize(photo[None], style, callback=steps.append)[0]
    distances = metrics.style_distance(result, style), metrics.content_distance(result, photo)
    print(f"{product} + {painting}: style {distances[0]:.4f}, content {distances[1]:.2f}, {steps[-1].seconds:.0f} s")
    assert distances[0] < 0.06 and distances[1] < 1.6
