"""Tiles: with the whole picture's statistics they are the whole picture, and without them they are not."""

import numpy as np
import pytest

from stylelab import engines
from stylelab.backend import keras, tf
from stylelab.errors import ResourceError, SettingsError
from stylelab.feedforward import Architecture, FeedForward, StyleNetwork
from stylelab.stylizers import KeepColor, Style
from stylelab.tiling import Tiled, receptive_radius, seam_ratio, stretches

TINY = Architecture(half=4, quarter=6, full=3, blocks=1, last=3)
RADIUS = receptive_radius(TINY)
STEP = 1 / 255
RNG = np.random.default_rng(0)


def network(architecture=TINY):
    keras.utils.set_random_seed(3)
    return StyleNetwork(["a", "b"], architecture)


@pytest.fixture(scope="module")
def stylizer():
    return FeedForward(network=network())


@pytest.fixture(scope="module")
def photo():
    """Unlike at all ends, or tiles could not differ: brighter to the right and the bottom, with noise."""
    rows, columns = np.mgrid[0:1:110j, 0:1:90j][..., None]
    return (0.5 * rows + 0.2 * columns + 0.3 * RNG.random((110, 90, 3))).astype("float32")[None]


class TestStretches:
    @pytest.mark.parametrize("side", [16, 17, 31, 32, 33, 64, 65, 100, 1023, 1025])
    @pytest.mark.parametrize("overlap", [0, 4, 20])
    def test_each_pixel_belongs_to_one_tile_and_each_tile_is_painted_from_enough(self, side, overlap):
        found = stretches(side, 32, overlap)
        owners = np.zeros(side, int)
        for (begin, end), part in found:
            owners[begin:end] += 1
            assert 0 < end - begin <= 32
            assert begin % 4 == part.start % 4 == 0, "off the network's grid"
            assert part.start <= max(0, begin - overlap)
            assert part.stop == side or part.stop - end == overlap
            assert part.stop - part.start >= min(16, side)
        assert (owners == 1).all()

    def test_a_small_picture_is_one_tile(self):
        assert stretches(30, 32, 20) == [((0, 30), slice(0, 30))]


@pytest.mark.parametrize("architecture", [TINY, Architecture(half=4, quarter=4, full=4, blocks=2, last=7)])
def test_the_radius_is_as_far_as_a_pixel_sees(architecture):
    """Measured: how far from a pixel of the input the result moves, by the sum of gradients of all 16 positions."""
    own, radius = network(architecture), receptive_radius(architecture)
    side = 4 * (2 * radius // 4 + 4)
    photo, share = tf.constant(RNG.random((1, side, side, 3), "float32")), tf.constant([[0.0, 1.0, 0.0]])
    given = own.with_moments(photo, share)[1]
    farthest = 0
    for row in range(side // 2, side // 2 + 4):
        with tf.GradientTape() as tape:
            tape.watch(photo)
            seen = tf.reduce_sum(tf.abs(own.with_moments(photo, share, given)[0][0, row, row]))
        moved = np.argwhere(tape.gradient(seen, photo)[0].numpy().any(-1))
        farthest = max(farthest, np.abs(moved - row).max())
    assert farthest == radius


class TestWithTheWholePictureStatistics:
    """The thumbnail is the picture itself, so the whole picture's pass has the same statistics."""

    @pytest.mark.parametrize("tile", [32, 48, 96])
    @pytest.mark.parametrize("cut", [(110, 90), (97, 33), (64, 90)])
    def test_tiles_are_the_whole_picture(self, stylizer, photo, tile, cut):
        part = photo[:, : cut[0], : cut[1]]
        whole, tiled = (s.stylize(part, "a") for s in (stylizer, Tiled(stylizer, tile=tile, thumbnail=128)))
        np.testing.assert_allclose(tiled, whole, atol=1e-5)

    def test_a_narrower_overlap_shows(self, stylizer, photo):
        whole = stylizer.stylize(photo, "a")
        missed = [
            np.abs(Tiled(stylizer, tile=32, thumbnail=128, overlap=overlap).stylize(photo, "a") - whole).max()
            for overlap in (0, 4, RADIUS)
        ]
        assert missed[0] > missed[1] > missed[2]
        assert missed[1] > STEP

    def test_a_tile_s_own_statistics_are_another_picture(self, stylizer, photo):
        whole = stylizer.stylize(photo, "a")
        own = Tiled(stylizer, tile=32, thumbnail=128, frozen=False).stylize(photo, "a")
        assert np.abs(own - whole).mean() > 5 * STEP

    def test_strength_and_blends(self, stylizer, photo):
        blend, tiled = Style.trained(["a", "b"], [1, 2]), Tiled(stylizer, tile=48, thumbnail=128)
        for strength in (0.0, 0.4):
            whole = stylizer.stylize(photo, blend, strength=strength)
            np.testing.assert_allclose(tiled.stylize(photo, blend, strength=strength), whole, atol=1e-5)

    def test_through_openvino(self, stylizer, photo):
        if not engines._openvino():
            pytest.skip("OpenVINO is not installed (extra 'fast')")
        fast = FeedForward(network=stylizer.network, engine="openvino")
        whole = stylizer.stylize(photo, "a", strength=0.7)
        assert np.abs(Tiled(fast, tile=48, thumbnail=128).stylize(photo, "a", strength=0.7) - whole).max() < STEP


class TestWithAThumbnail:
    def test_the_seams_are_gone_and_without_it_they_are_there(self, stylizer, photo):
        large = np.kron(photo, np.ones((1, 2, 2, 1), "float32"))
        whole, frozen, own = (
            s.stylize(large, "a")[0]
            for s in (
                stylizer,
                Tiled(stylizer, tile=64, thumbnail=110),
                Tiled(stylizer, tile=64, thumbnail=110, frozen=False),
            )
        )
        assert seam_ratio(frozen, 64) < 1.1 * seam_ratio(whole, 64)
        assert seam_ratio(own, 64) > 1.2 * seam_ratio(whole, 64)

    def test_a_picture_within_the_thumbnail_and_a_tile_is_the_stylizer_s(self, stylizer, photo):
        tiled = Tiled(stylizer, tile=128, thumbnail=128)
        assert np.array_equal(tiled.stylize(photo, "a"), stylizer.stylize(photo, "a"))

    def test_a_picture_of_one_tile_has_the_thumbnail_s_statistics_too(self, stylizer, photo):
        """Or a picture would change its look where it grows into a second tile."""
        one, more = (Tiled(stylizer, tile=tile, thumbnail=64).stylize(photo, "a") for tile in (128, 48))
        np.testing.assert_allclose(one, more, atol=1e-5)
        assert np.abs(one - stylizer.stylize(photo, "a")).max() > STEP

    def test_batch_mates_do_not_matter(self, stylizer, photo):
        tiled, mate = Tiled(stylizer, tile=48, thumbnail=64), 1 - photo
        together = tiled.stylize(np.concatenate([mate, photo]), "a")
        assert np.array_equal(together[1:], tiled.stylize(photo, "a"))


class TestAsAMethod:
    def test_wrappers_go_around_it(self, stylizer, photo):
        tiled = Tiled(stylizer, tile=48, thumbnail=64)
        assert tuple(tiled.styles) == stylizer.styles
        assert KeepColor(tiled).stylize(photo, "a").shape == photo.shape

    def test_an_unknown_style_is_refused(self, stylizer, photo):
        with pytest.raises(SettingsError, match="not trained for c"):
            Tiled(stylizer).stylize(photo, "c")

    @pytest.mark.parametrize("wrong", [{"tile": 12}, {"tile": 50}, {"thumbnail": 8}, {"overlap": -1}])
    def test_a_size_out_of_range_is_refused(self, stylizer, wrong):
        with pytest.raises(SettingsError, match="multiple of 4"):
            Tiled(stylizer, **wrong)

    def test_memory_is_that_of_a_tile_and_of_the_pictures(self, stylizer):
        tiled = Tiled(stylizer, tile=256, thumbnail=256)
        assert tiled.memory_needed(4096, 4096) < 0.5 * stylizer.memory_needed(4096, 4096)
        assert tiled.memory_needed(8192, 4096) - tiled.memory_needed(4096, 4096) == 24 * 4096**2

    def test_more_memory_than_there_is_is_refused(self, stylizer, photo, monkeypatch):
        monkeypatch.setattr("stylelab.machine.memory_available", lambda: 10_000)
        with pytest.raises(ResourceError, match="90x110 px in tiles needs about"):
            Tiled(stylizer, tile=48, thumbnail=64).stylize(photo, "a")


class TestSeamRatio:
    def test_of_noise_it_is_one(self):
        noise = RNG.random((256, 256, 3), "float32")
        assert seam_ratio(noise, 64) == pytest.approx(1, abs=0.05)

    def test_of_tiles_of_different_brightness_it_is_what_was_added(self):
        """Steps of d everywhere and of d + 3 d at the borders: 4 times those nearby."""
        ramp = np.add.outer(np.arange(192.0), np.arange(192.0))
        level = np.add.outer(np.arange(192) // 64, np.arange(192) // 64)
        assert seam_ratio((ramp + 3 * level)[..., None] / 1000, 64) == pytest.approx(4)
        assert seam_ratio(ramp[..., None] / 1000, 64) == pytest.approx(1)
