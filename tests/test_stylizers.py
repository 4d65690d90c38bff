"""The contract of every method, and the wrappers that keep color and product pixels, on a method without network."""

import numpy as np
import pytest

from stylelab import images, samples, stylizers
from stylelab.errors import ImageError, SettingsError
from stylelab.stylizers import KeepColor, KeepProduct, KeepWhite, Style, Stylizer, coral


class Negative(Stylizer):
    """A fast stand-in: the negative, mixed by strength, tinted by the style's mean color."""

    def _stylize(self, content, style, *, strength, seed, callback, regions):
        tint = np.mean([p.mean((0, 1)) for p in style.pictures], 0)
        return ((1 - strength) * content + strength * (0.5 * (1 - content) + 0.5 * tint)).astype("float32")


rng = np.random.default_rng(0)
PHOTO = rng.random((2, 24, 30, 3)).astype("float32")
PAINTING = rng.random((20, 20, 3)).astype("float32") * [1.0, 0.5, 0.2]


def test_strength_zero_is_the_photo_bit_by_bit():
    np.testing.assert_array_equal(Negative().stylize(PHOTO, PAINTING, strength=0), PHOTO)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_strength_out_of_range_is_refused(strength):
    with pytest.raises(SettingsError, match="Strength must be from 0"):
        Negative().stylize(PHOTO, PAINTING, strength=strength)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_out_of_range_is_refused(seed):
    with pytest.raises(SettingsError, match="seed must be from 0"):
        Negative().stylize(PHOTO, PAINTING, seed=seed)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (PHOTO[0], "add the batch axis"),
        (np.zeros((1, 15, 40, 3), "float32"), "at least 16 px"),
        (np.full((1, 20, 20, 3), np.nan, "float32"), "NaN"),
        (np.zeros((1, 20, 20, 3), "uint8"), "divide by 255"),
        (np.zeros((1, 20, 20, 4), "float32"), "shape"),
    ],
)
def test_content_that_is_no_batch_of_images_is_refused(content, words):
    with pytest.raises(ImageError, match=words):
        Negative().stylize(content, PAINTING)


class TestStyle:
    def test_of_a_sample_a_file_an_array_and_a_list(self, data):
        file = data / "styles" / "hokusai_great_wave.jpg"
        sample, path, array = Style.of("hokusai_great_wave"), Style.of(file), Style.of(PAINTING.astype("float32"))
        np.testing.assert_array_equal(sample.pictures[0], path.pictures[0])
        assert sample.name == path.name == "hokusai_great_wave"
        assert array.weights == (1.0,)
        both = Style.of(["hokusai_great_wave", PAINTING.astype("float32")], weights=[3, 1])
        assert both.weights == (3.0, 1.0)
        assert both.name == "hokusai_great_wave + picture"

    @pytest.mark.parametrize(
        ("source", "weights", "words"),
        [
            ([], None, "no picture"),
            ("", None, "empty name"),
            (["hokusai_great_wave"], [1, 2], "1 pictures and 2 weights"),
            (["hokusai_great_wave"], [0], "positive"),
            (["hokusai_great_wave"], [float("inf")], "positive"),
            ("hokusai_great_wav", None, "hokusai_great_wave"),
        ],
    )
    def test_what_is_no_style_is_refused_in_one_sentence(self, source, weights, words):
        with pytest.raises(SettingsError, match=words):
            Style.of(source, weights)

    def test_a_shipped_painting_keeps_its_name_and_a_picture_of_ones_own_has_none(self, data):
        """Or a file that is called like a painting would be taken for it."""
        file = data / "styles" / "hokusai_great_wave.jpg"
        assert Style.of(["hokusai_great_wave", file, PAINTING.astype("float32")]).names == (
            "hokusai_great_wave",
            "",
            "",
        )
        assert Style.of(Style.of("hokusai_great_wave"), weights=[2]).names == ("hokusai_great_wave",)

    def test_by_trained_names_no_picture_is_read(self):
        style = Style.trained(["mine", "yours"], [1, 3])
        assert (style.name, style.pictures, style.names) == ("mine + yours", (), ("mine", "yours"))
        assert Style.trained("mine").weights == (1.0,)
        with pytest.raises(SettingsError, match="has 2 pictures and 1 weights"):
            Style.trained(["mine", "yours"], [1])

    @pytest.mark.parametrize(("height", "width"), [(40, 100), (100, 40), (100, 100)])
    def test_at_a_size_is_never_enlarged_and_never_under_the_least(self, height, width):
        picture = rng.random((height, width, 3)).astype("float32")
        style = Style("one", (picture,), (1.0,))
        np.testing.assert_array_equal(style.at(500)[0], picture)
        assert max(style.at(50)[0].shape) == 50
        small = style.at(16, least=32)[0]
        assert min(small.shape[:2]) == 32
        assert abs(small.shape[1] / small.shape[0] - width / height) < 0.05
        with pytest.raises(SettingsError, match=r"'one' is .* too small for the network"):
            style.at(500, least=101)

    def test_a_missing_file_is_an_image_error(self, tmp_path):
        with pytest.raises(ImageError, match=r"nowhere\.jpg"):
            Style.of(tmp_path / "nowhere.jpg")


class TestKeepColor:
    def test_luminance_is_the_results_and_color_the_photos(self):
        gray_photo = np.repeat(PHOTO[..., :1] * 0.2 + 0.4, 3, -1)  # mid gray: nothing is clipped
        inner = Negative().stylize(gray_photo, PAINTING)
        kept = KeepColor(Negative()).stylize(gray_photo, PAINTING)
        np.testing.assert_allclose(images.luminance(kept), images.luminance(inner), atol=1e-5)
        assert np.ptp(kept, axis=-1).max() < 1e-5  # a gray photo stays gray

    def test_coral_matches_mean_and_covariance(self):
        image = 0.4 + 0.1 * rng.standard_normal((60, 50, 3)) @ rng.random((3, 3))
        reference = 0.5 + 0.05 * rng.standard_normal((40, 70, 3)) @ rng.random((3, 3))
        image, reference = (np.clip(x, 0, 1).astype("float32") for x in (image, reference))
        moved = coral(image, reference)
        assert moved.shape == image.shape
        np.testing.assert_allclose(moved.mean((0, 1)), reference.mean((0, 1)), atol=0.01)
        np.testing.assert_allclose(
            np.cov(moved.reshape(-1, 3).T), np.cov(reference.reshape(-1, 3).T), rtol=0.1, atol=5e-4
        )

    def test_coral_of_gray_and_constant_pictures_is_finite(self):
        gray = np.repeat(PHOTO[0, ..., :1], 3, -1)
        constant = np.full((20, 20, 3), 0.3, "float32")
        for image, reference in [(gray, PHOTO[0]), (PHOTO[0], gray), (constant, PHOTO[0]), (PHOTO[0], constant)]:
            assert np.isfinite(coral(image, reference)).all()

    def test_coral_recolors_for_each_photo_alone(self):
        stylizer = KeepColor(Negative(), method="coral")
        together = stylizer.stylize(PHOTO, PAINTING.astype("float32"))
        alone = np.concatenate([stylizer.stylize(p[None], PAINTING.astype("float32")) for p in PHOTO])
        np.testing.assert_array_equal(together, alone)

    def test_unknown_method_is_refused(self):
        with pytest.raises(SettingsError, match="luminance"):
            KeepColor(Negative(), method="hue")

    def test_coral_needs_a_method_that_takes_any_style(self):
        class Fixed(Negative):
            styles = ("one",)

        with pytest.raises(SettingsError, match="CORAL"):
            KeepColor(Fixed(), method="coral")


class TestKeepProduct:
    MASK = np.zeros((24, 30, 1), "float32")
    MASK[6:18, 8:22] = 1

    @pytest.mark.parametrize("ring", [0, 1, 2])
    def test_core_is_the_photo_and_background_the_result_bit_by_bit(self, ring):
        kept = KeepProduct(Negative(), self.MASK, ring=ring).stylize(PHOTO, PAINTING)
        plain = Negative().stylize(PHOTO, PAINTING)
        core = np.zeros((24, 30), bool)
        core[6 + ring : 18 - ring, 8 + ring : 22 - ring] = True
        np.testing.assert_array_equal(kept[:, core], PHOTO[:, core])
        background = self.MASK[..., 0] == 0
        np.testing.assert_array_equal(kept[:, background], plain[:, background])

    def test_the_ring_lies_between_photo_and_result(self):
        kept = KeepProduct(Negative(), self.MASK).stylize(PHOTO, PAINTING)
        plain = Negative().stylize(PHOTO, PAINTING)
        low, high = np.minimum(PHOTO, plain), np.maximum(PHOTO, plain)
        assert ((kept >= low - 1e-6) & (kept <= high + 1e-6)).all()
        assert (kept[:, 6, 8:22] != PHOTO[:, 6, 8:22]).any()

    def test_the_pictures_border_is_no_edge_of_the_product(self):
        mask = np.zeros((24, 30, 1), "float32")
        mask[:12] = 1  # reaches three borders
        kept = KeepProduct(Negative(), mask).stylize(PHOTO, PAINTING)
        np.testing.assert_array_equal(kept[:, :10], PHOTO[:, :10])

    def test_full_and_empty_masks(self):
        full = KeepProduct(Negative(), np.ones((24, 30, 1))).stylize(PHOTO, PAINTING)
        np.testing.assert_array_equal(full, PHOTO)
        empty = KeepProduct(Negative(), np.zeros((24, 30, 1))).stylize(PHOTO, PAINTING)
        np.testing.assert_array_equal(empty, Negative().stylize(PHOTO, PAINTING))

    def test_survives_the_file_bit_by_bit(self, tmp_path):
        photo = images.to_uint8(PHOTO)[:1].astype("float32") / 255
        kept = KeepProduct(Negative(), self.MASK).stylize(photo, PAINTING)
        read = images.read(images.write(tmp_path / "kept.png", kept[0]))
        core = np.zeros((24, 30), bool)
        core[8:16, 10:20] = True
        np.testing.assert_array_equal(read[core], photo[0][core])

    def test_a_mask_of_another_size_names_both(self):
        with pytest.raises(ImageError, match=r"10x12 px.*30x24 px"):
            KeepProduct(Negative(), np.ones((12, 10, 1))).stylize(PHOTO, PAINTING)

    @pytest.mark.parametrize("mask", [np.ones((24, 30)), np.ones((24, 30, 3)), np.full((24, 30, 1), np.nan)])
    def test_what_is_no_mask_is_refused(self, mask):
        with pytest.raises(ImageError, match="mask"):
            KeepProduct(Negative(), mask)

    def test_ring_is_at_most_two_pixels(self):
        with pytest.raises(SettingsError, match="0, 1 or 2"):
            KeepProduct(Negative(), self.MASK, ring=3)


class TestKeepWhite:
    def ramp(self):
        """Every gray of 8 bits, a column each: ``[1, 16, 256, 3]``."""
        return np.broadcast_to((np.arange(256) / 255)[None, None, :, None], (1, 16, 256, 3)).astype("float32")

    def test_white_is_the_photo_gray_is_the_result_and_between_they_mix(self):
        photo = self.ramp()
        kept, plain = KeepWhite(Negative()).stylize(photo, PAINTING), Negative().stylize(photo, PAINTING)
        np.testing.assert_array_equal(images.to_uint8(kept[..., 242:, :]), images.to_uint8(photo[..., 242:, :]))
        np.testing.assert_array_equal(kept[..., :231, :], plain[..., :231, :])
        share = ((kept - plain) / (photo - plain))[0, 0, 230:243]
        np.testing.assert_allclose(share, np.linspace(0, 1, 13)[:, None].repeat(3, 1), atol=1e-3)

    @pytest.mark.parametrize("color", [(1, 1, 0.8), (0.8, 1, 1), (0.89, 0.89, 0.89)])
    def test_pale_colors_are_no_white(self, color):
        photo = np.full((1, 20, 20, 3), color, "float32")
        np.testing.assert_array_equal(
            KeepWhite(Negative()).stylize(photo, PAINTING), Negative().stylize(photo, PAINTING)
        )

    def test_the_ground_of_a_white_product_photo_stays_and_a_gray_one_is_painted(self):
        def moved(name):
            photo = images.resize(samples.load(name), 64)[None]
            return np.abs(KeepWhite(Negative()).stylize(photo, PAINTING) - photo)[:, :6].max()

        assert moved("sneaker_black") < 0.01 < 0.2 < moved("sneaker_knit")

    def test_a_photo_without_white_is_the_method_s_own(self):
        photo = PHOTO * np.float32(0.9)
        np.testing.assert_array_equal(
            KeepWhite(Negative()).stylize(photo, PAINTING), Negative().stylize(photo, PAINTING)
        )

    @pytest.mark.parametrize(("begin", "full"), [(0.9, 0.9), (0.95, 0.9), (-0.1, 0.9), (0.9, 1.1), (float("nan"), 1)])
    def test_levels_out_of_order_are_refused(self, begin, full):
        with pytest.raises(SettingsError, match="White is kept from one level to a higher one"):
            KeepWhite(Negative(), begin, full)


def test_wrappers_nest_and_product_pixels_win():
    both = KeepProduct(KeepColor(Negative()), TestKeepProduct.MASK).stylize(PHOTO, PAINTING)
    np.testing.assert_array_equal(both[:, 8:16, 10:20], PHOTO[:, 8:16, 10:20])


class Known(Negative):
    """Trained for one style, which no picture shows."""

    styles = ("mine",)

    def _resolve(self, style):
        return Style.trained(style) if isinstance(style, str) else style

    def _stylize(self, content, style, **settings):
        return np.full_like(content, len(style.names) / 10)


def test_wrappers_take_the_styles_that_the_inner_method_was_trained_for():
    whole = np.ones((24, 30, 1))
    for wrapped in (KeepColor(Known()), KeepProduct(Known(), whole), KeepProduct(KeepColor(Known()), whole)):
        assert wrapped.styles == ("mine",)
        assert wrapped.stylize(PHOTO, "mine").shape == PHOTO.shape
    np.testing.assert_allclose(KeepProduct(Known(), 0 * whole).stylize(PHOTO, "mine"), 0.1)


def test_regions_are_refused_by_a_method_without_them():
    with pytest.raises(SettingsError, match="cannot style by regions"):
        Negative().stylize(PHOTO, PAINTING, regions=np.ones((1, 24, 30, 1)))


class TestRegistry:
    @pytest.mark.weights
    @pytest.mark.parametrize("name", stylizers.names())
    def test_every_registered_method_is_a_stylizer_that_takes_no_setting(self, name):
        assert isinstance(stylizers.get(name), Stylizer)

    def test_unknown_method_and_setting(self):
        with pytest.raises(SettingsError, match="'optimise' is not known"):
            stylizers.get("optimise")
        with pytest.raises(SettingsError, match="no setting 'stepps'; it has steps"):
            stylizers.get("optimize", stepps=3)
