"""The stream of training pictures: repeatable from any batch on, whatever lies in the folder.

Each file is of one color of its own, so that a crop tells where it came from.
"""

import warnings
from itertools import islice, pairwise

import numpy as np
import pytest
from PIL import Image

from stylelab import datasets
from stylelab.backend import tf
from stylelab.errors import ImageError, SettingsError
from stylelab.images import Picture

SIZE = 8


def opened(rgb, alpha=None):
    """What a picture file's content looks like once it is read."""
    return Picture(np.asarray(rgb, "float32"), alpha, b"", 8, ())


@pytest.fixture
def photos(tmp_path):
    """Seven files whose red is 20 times their number, in shapes from tall to wide."""
    files = []
    for k in range(7):
        color = np.full((10 + 3 * k, 30 - 3 * k, 3), (20 * k, 60, 90), "uint8")
        files.append(tmp_path / f"{k}.png")
        Image.fromarray(color).save(files[-1])
    return files


def numbers(batches, count):
    """Which files the first ``count`` batches are from."""
    return np.concatenate([np.rint(b.numpy()[:, 0, 0, 0] * 255 / 20) for b in islice(batches, count)]).astype(int)


class TestFiles:
    def test_sorted_from_all_folders_below_and_each_once(self, tmp_path):
        for name in ("b/2.JPG", "b/1.png", "a.webp", "c/d/3.tiff", "notes.txt", "b/4.jpg.part"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        wanted = [tmp_path / name for name in ("a.webp", "b/1.png", "b/2.JPG", "c/d/3.tiff")]
        assert datasets.picture_files(tmp_path) == wanted
        assert datasets.picture_files(tmp_path / "b", tmp_path, tmp_path / "a.webp") == wanted
        assert datasets.picture_files(str(tmp_path / "a.webp")) == wanted[:1]

    def test_a_folder_that_looks_like_a_picture_is_none(self, tmp_path):
        (tmp_path / "holidays.jpg").mkdir()
        (tmp_path / "a.jpg").touch()
        assert datasets.picture_files(tmp_path) == [tmp_path / "a.jpg"]

    def test_no_folder_and_no_picture_are_one_sentence(self, tmp_path):
        with pytest.raises(SettingsError) as error:
            datasets.picture_files(tmp_path / "away")
        assert str(error.value) == f"There is no folder {tmp_path / 'away'}; give one with photos in it."
        (tmp_path / "a.txt").touch()
        with pytest.raises(SettingsError, match=r"^No pictures in .*; they must end in \.jpg, .*\.$"):
            datasets.picture_files(tmp_path)


class TestHeldOut:
    @pytest.mark.parametrize("total", [2, 3, 7, 24, 100])
    def test_disjoint_complete_and_even(self, total):
        files = list(range(total))  # any sequence will do
        for count in range(1, total):
            train, held = datasets.held_out(files, count)
            assert len(held) == count
            assert sorted(train + held) == files
            gaps = {b - a for a, b in pairwise(held)}
            assert not gaps or max(gaps) - min(gaps) <= 1
            # Neither end is farther from a held-out file than these are from one another.
            assert max(held[0], total - 1 - held[-1]) <= total / count

    @pytest.mark.parametrize("count", [0, 5, 6, -1])
    def test_none_left_is_one_sentence(self, count):
        with pytest.raises(SettingsError, match=f"Of 5 photos {count} cannot be held out; give more photos"):
            datasets.held_out(range(5), count)


class TestCrop:
    @pytest.mark.parametrize("shape", [(40, 60), (60, 40), (8, 8), (9, 200), (5, 3)])
    @pytest.mark.parametrize("zoom", [1.0, 2.5])
    def test_a_square_from_inside_the_picture(self, shape, zoom):
        """Red grows to the right and green downwards: what is stretched, padded or turned shows."""
        y, x = np.mgrid[0 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j]
        picture = opened(np.stack([0.2 + 0.6 * x, 0.2 + 0.6 * y, 0 * x], -1))
        mirrored = 0
        for seed in range(20):
            square = datasets.crop(picture, SIZE, np.random.default_rng(seed), zoom)
            assert square.shape == (SIZE, SIZE, 3)
            assert square.min() >= -1e-6
            # Bicubic resizing overshoots a little at the border of a picture of few pixels.
            assert 0.2 - 0.05 <= square[..., :2].min() <= square[..., :2].max() <= 0.8 + 0.05
            across, down = np.diff(square[..., 0], axis=1), np.diff(square[..., 1], axis=0)
            assert np.all(down > -1e-4), "never upside down"
            assert np.all(across > -1e-4) or np.all(across < 1e-4)
            mirrored += across.sum() < 0
        assert 0 < mirrored < 20

    def test_zoom_takes_a_smaller_part(self):
        picture = opened(np.broadcast_to(np.linspace(0, 1, 64)[:, None], (64, 64, 3)))

        def span(zoom):
            return [float(np.ptp(datasets.crop(picture, 16, np.random.default_rng(s), zoom))) for s in range(30)]

        assert min(span(1.0)) > 0.9, "all of it"
        assert min(span(2.5)) < 0.5 < max(span(2.5))

    def test_a_cut_out_stands_on_one_color_and_every_second_time_on_white(self):
        alpha = np.zeros((20, 20, 1), "float32")
        alpha[6:14, 6:14] = 1
        picture = opened(np.full((20, 20, 3), (0.9, 0.1, 0.1)), alpha)
        grounds = []
        for seed in range(60):
            square = datasets.crop(picture, 20, np.random.default_rng(seed), 1.0)
            np.testing.assert_allclose(square[8:12, 8:12], np.broadcast_to((0.9, 0.1, 0.1), (4, 4, 3)), atol=1e-3)
            edge = np.concatenate([square[0], square[-1], square[:, 0], square[:, -1]])
            np.testing.assert_allclose(edge, np.broadcast_to(edge[0], edge.shape), atol=1e-6)
            grounds.append(edge[0])
        white = np.all(np.array(grounds) == 1, axis=-1)
        assert 15 < white.sum() < 45
        assert np.ptp(np.array(grounds)[~white], axis=0).min() > 0.5, "the others are of all colors"


@pytest.mark.parametrize("shape", [(20, 30), (30, 20), (5, 9), (64, 64)])
def test_the_middle_square(shape):
    y, x = np.mgrid[0 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j]
    square = datasets.middle_square(np.stack([x, y, 0 * x], -1).astype("float32"), 32)
    assert square.shape == (32, 32, 3)
    np.testing.assert_allclose(square[..., :2].mean((0, 1)), 0.5, atol=0.02)
    seen = np.ptp(square[..., :2], axis=(0, 1))
    np.testing.assert_allclose(seen, min(shape) / np.array(shape[::-1]), atol=0.1)


class TestStream:
    def test_every_file_once_an_epoch_and_each_epoch_in_its_own_order(self, photos):
        seen = numbers(datasets.stream(photos, SIZE, 7), 4).reshape(4, 7)
        assert all(sorted(epoch) == list(range(7)) for epoch in seen.tolist())
        assert len({tuple(epoch) for epoch in seen.tolist()}) > 1

    def test_epochs_do_not_end_with_batches(self, photos):
        seen = numbers(datasets.stream(photos, SIZE, 3), 7)
        assert all(sorted(epoch) == list(range(7)) for epoch in seen.reshape(3, 7).tolist())

    def test_the_same_for_the_same_seed_and_another_for_another(self, photos):
        one, same, other = (
            np.concatenate([b.numpy() for b in islice(datasets.stream(photos, SIZE, 4, seed=seed), 5)])
            for seed in (1, 1, 2)
        )
        np.testing.assert_array_equal(one, same)
        assert np.abs(one - other).max() > 0.1

    @pytest.mark.parametrize("first", [1, 2, 5])
    def test_resumed_it_gives_what_it_would_have_given(self, tmp_path, first):
        rng = np.random.default_rng(0)  # noise, so that every crop differs
        files = []
        for k in range(3):
            files.append(tmp_path / f"{k}.png")
            Image.fromarray(rng.integers(0, 256, (20, 24, 3)).astype("uint8")).save(files[-1])
        extra = {"extra": lambda rng: rng.random(2)}
        whole = list(islice(datasets.stream(files, SIZE, 2, seed=3, **extra), first + 2))[first:]
        resumed = list(islice(datasets.stream(files, SIZE, 2, seed=3, first=first, **extra), 2))
        for (crops, numbers), (crops_again, numbers_again) in zip(whole, resumed, strict=True):
            np.testing.assert_array_equal(crops, crops_again)
            np.testing.assert_array_equal(numbers, numbers_again)
        assert np.abs(resumed[0][0] - resumed[1][0]).max() > 0.1

    def test_what_keras_gets(self, photos):
        photos_only = datasets.stream(photos, SIZE, 4)
        assert photos_only.element_spec == tf.TensorSpec((4, SIZE, SIZE, 3), "float32")
        with_extra = datasets.stream(photos, SIZE, 4, extra=lambda rng: np.ones(5))
        assert with_extra.element_spec[1] == tf.TensorSpec((4, 5), "float32")

    def test_broken_files_are_left_out_with_one_warning_each(self, photos):
        photos[2].write_bytes(b"no picture")
        photos[5].write_bytes(photos[5].read_bytes()[:40])
        with pytest.warns(UserWarning, match="A photo was left out: ") as caught:
            seen = numbers(datasets.stream(photos, SIZE, 7), 3)
        assert set(seen) == {0, 1, 3, 4, 6}
        said = [str(w.message) for w in caught if "left out" in str(w.message)]
        assert len(said) == 2
        assert {name for name in ("2.png", "5.png") for line in said if name in line} == {"2.png", "5.png"}

    def test_the_others_do_not_change_because_one_is_broken(self, photos):
        before = numbers(datasets.stream(photos, SIZE, 7), 2)
        photos[2].write_bytes(b"no picture")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            after = numbers(datasets.stream(photos, SIZE, 7), 2)
        np.testing.assert_array_equal(after[before != 2], before[before != 2])

    def test_when_all_are_broken_it_says_so_and_ends(self, photos):
        for file in photos:
            file.write_bytes(b"no picture")
        with (
            pytest.warns(UserWarning, match="left out"),
            pytest.raises(tf.errors.OpError, match=f"{ImageError.__name__}: None of the photos can be read"),
        ):
            next(iter(datasets.stream(photos, SIZE, 2)))
