"""Masks: what is known of the product is passed on exactly, what a person says is obeyed, and a guess says how sure."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylelab import images, samples
from stylelab.catalog import masknet, masks, outline, removal, trust
from stylelab.errors import ImageError, SettingsError, WeightsError

SIZE = (120, 160)


def disc(size: tuple[int, int] = SIZE, center: tuple[float, float] = (60, 70), radius: float = 40) -> np.ndarray:
    """bool ``[H, W, 1]``."""
    y, x = np.mgrid[: size[0], : size[1]]
    return (np.hypot(y + 0.5 - center[0], x + 0.5 - center[1]) < radius)[..., None]


def photo(shape: np.ndarray, seed: int = 0) -> np.ndarray:
    """A red thing on light gray, with a photo's grain."""
    rgb = np.where(shape, (0.7, 0.15, 0.1), (0.86, 0.87, 0.88))
    grain = np.random.default_rng(seed).normal(0, 0.01, rgb.shape)
    return np.clip(rgb + grain, 0, 1).astype(np.float32)


def picture(rgb: np.ndarray, alpha: np.ndarray | None) -> images.Picture:
    """As it would be read from a file."""
    return images.Picture(rgb, alpha, b"", 8, ())


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """By sets of positions, not by counting pixels of masks as the package does."""
    first, second = (set(map(tuple, np.argwhere(np.squeeze(m) > 0.5))) for m in (one, other))
    return len(first & second) / len(first | second)


@pytest.fixture
def color_prior(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """In place of the network: what has another color than the photo's border. Lists the sizes it was asked for."""
    calls: list[tuple[int, ...]] = []

    def prior(rgb: np.ndarray, side: int = 288, *, mirrored: bool = False) -> np.ndarray:
        calls.append(rgb.shape[:2])
        small = images.resize(rgb, max(16, min(side // 2, max(rgb.shape[:2]))))
        border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
        far = np.linalg.norm(small - np.median(border, axis=0), axis=-1, keepdims=True)
        return (1 / (1 + np.exp(-20 * (far - 0.2)))).astype(np.float32)

    monkeypatch.setattr(masknet, "prior", prior)
    return calls


# ---------------------------------------------------------------- what is known


def test_alpha_is_passed_on_bit_by_bit() -> None:
    alpha = np.random.default_rng(0).random((*SIZE, 1)).astype(np.float32)
    found = masks.of(picture(photo(disc()), alpha))
    np.testing.assert_array_equal(found.values, alpha)
    assert (found.confidence, found.source) == (1.0, "alpha")
    assert found.values is not alpha


def test_an_opaque_alpha_is_no_mask(color_prior: list[tuple[int, ...]]) -> None:
    found = masks.of(picture(photo(disc()), np.ones((*SIZE, 1), np.float32)))
    assert found.source == "photo"
    assert iou(found.values, disc()) > 0.97


def test_a_picture_that_is_transparent_everywhere() -> None:
    with pytest.raises(ImageError, match="transparent everywhere"):
        masks.of(picture(photo(disc()), np.zeros((*SIZE, 1), np.float32)))


def test_a_file_counts_more_than_anything(tmp_path: Path) -> None:
    file = tmp_path / "mask.png"
    gray = np.random.default_rng(0).integers(0, 256, SIZE, np.uint8)
    Image.fromarray(gray).save(file)
    alpha = disc().astype(np.float32)
    found = masks.of(picture(photo(disc()), alpha), file=file, hint=masks.Hint(box=(0, 0, 9, 9)))
    np.testing.assert_array_equal(np.rint(found.values[..., 0] * 255), gray)
    assert (found.confidence, found.source) == (1.0, "file")


def test_a_file_of_another_size_names_both(tmp_path: Path) -> None:
    file = tmp_path / "mask.png"
    Image.new("L", (30, 20), 255).save(file)
    with pytest.raises(ImageError, match=r"mask\.png is 30 x 20 px and its picture 160 x 120 px"):
        masks.of(picture(photo(disc()), None), file=file)


def test_a_file_that_marks_nothing(tmp_path: Path) -> None:
    file = tmp_path / "mask.png"
    Image.new("L", SIZE[::-1], 0).save(file)
    with pytest.raises(ImageError, match=r"mask\.png marks nothing"):
        masks.of(picture(photo(disc()), None), file=file)


# ---------------------------------------------------------------- the photo


@pytest.mark.parametrize("size", [(120, 160), (600, 500), (1000, 700)])
def test_a_disc_on_plain_ground(size: tuple[int, int], color_prior: list[tuple[int, ...]]) -> None:
    true = disc(size, (0.45 * size[0], 0.5 * size[1]), 0.3 * min(size))
    found = masks.find(photo(true), backend="grabcut")
    assert found.values.shape == (*size, 1)
    assert found.values.dtype == np.float32
    assert iou(found.values, true) > 0.97
    # soft at its edge only: not further in than its outline found in the small picture may be wrong
    far = 2 * outline.RADIUS * max(1, max(size) / outline.SIDE) + 2
    inner = disc(size, (0.45 * size[0], 0.5 * size[1]), 0.3 * min(size) - far)
    assert (found.values[inner] == 1).all()
    assert found.confidence > 0.5


def test_colors_mend_what_the_network_saw_roughly(monkeypatch: pytest.MonkeyPatch) -> None:
    rough = images.resize(disc(center=(66, 78), radius=36).astype(np.float32), (15, 20))
    monkeypatch.setattr(masknet, "prior", lambda rgb, side=288, *, mirrored=False: 0.04 + 0.92 * rough)
    assert iou(rough.repeat(8, 0).repeat(8, 1), disc()) < 0.75
    assert iou(masks.find(photo(disc()), backend="grabcut").values, disc()) > 0.97


def test_the_edge_follows_the_large_photo() -> None:
    """Found at a quarter of the size and a pixel off, the outline comes back to the photo's edge."""
    size = (480, 640)
    true = disc(size, (240, 300), 150)
    rgb = photo(true)
    small = images.resize(rgb, (120, 160))
    shape = np.roll(images.resize(true.astype(np.float32), (120, 160))[..., 0] > 0.5, 1, axis=1)
    enlarged = shape.repeat(4, 0).repeat(4, 1)
    found = outline.refine(rgb, small, shape)
    wrong, before = ((mask > 0.5) != true[..., 0] for mask in (found[..., 0], enlarged))
    assert wrong.sum() < 0.35 * before.sum()


def test_the_same_photo_has_the_same_mask_and_is_not_changed(color_prior: list[tuple[int, ...]]) -> None:
    rgb, keep = photo(disc()), disc(radius=5)
    before = rgb.copy(), keep.copy()
    first, second = (masks.find(rgb, masks.Hint(keep=keep), backend="grabcut") for _ in range(2))
    np.testing.assert_array_equal(first.values, second.values)
    assert first.confidence == second.confidence
    np.testing.assert_array_equal(rgb, before[0])
    np.testing.assert_array_equal(keep, before[1])


def test_a_mirrored_photo_has_the_mirrored_mask(color_prior: list[tuple[int, ...]]) -> None:
    rgb = photo(disc() | disc(radius=25, center=(30, 110)))
    straight, mirrored = (masks.find(p, backend="grabcut").values for p in (rgb, rgb[:, ::-1].copy()))
    assert iou(straight, mirrored[:, ::-1]) > 0.97


def test_specks_go_and_real_holes_stay() -> None:
    ring = (disc() & ~disc(radius=10))[..., 0]
    noisy = ring.copy()
    noisy[2, 2] = True  # a speck
    noisy[60, 90] = False  # a pinhole
    assert ring[60, 90]
    np.testing.assert_array_equal(outline.tidy(noisy), ring)


@pytest.mark.parametrize(
    "rgb",
    [
        np.full((64, 64, 3), 0.5, np.float32),
        np.zeros((16, 16, 3), np.float32),
        np.random.default_rng(0).random((16, 16, 3), np.float32),
        np.random.default_rng(1).random((7, 300, 3), np.float32),
        np.ones((1, 1, 3), np.float32),
    ],
    ids=["constant", "16 px", "16 px noise", "a strip", "one pixel"],
)
@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0, "noise"])
def test_no_photo_is_too_poor(rgb: np.ndarray, chance: float | str, monkeypatch: pytest.MonkeyPatch) -> None:
    def prior(rgb: np.ndarray, side: int = 288, *, mirrored: bool = False) -> np.ndarray:
        if isinstance(chance, str):
            return np.random.default_rng(0).random((40, 40, 1), np.float32)
        return np.full((40, 40, 1), chance, np.float32)

    monkeypatch.setattr(masknet, "prior", prior)
    found = masks.find(rgb, backend="grabcut")
    assert found.values.shape == (*rgb.shape[:2], 1)
    assert np.isfinite(found.values).all()
    assert found.values.min() >= 0 and found.values.max() <= 1
    assert 0 <= found.confidence < masks.ACCEPT, "nothing of this may be used unseen"


def test_a_photo_that_is_no_number() -> None:
    rgb = photo(disc())
    rgb[3, 3] = np.nan
    with pytest.raises(ImageError, match="photo has values that are NaN"):
        masks.find(rgb)


# ---------------------------------------------------------------- hints


def test_hints_are_obeyed_to_the_pixel(color_prior: list[tuple[int, ...]]) -> None:
    rgb, rng = photo(disc()), np.random.default_rng(3)
    for _ in range(12):
        left, right = sorted(rng.choice(SIZE[1] + 1, 2, replace=False))
        top, bottom = sorted(rng.choice(SIZE[0] + 1, 2, replace=False))
        inside = np.zeros((*SIZE, 1), bool)
        inside[top:bottom, left:right] = True
        keep = (rng.random((*SIZE, 1)) < 0.01) & inside
        drop = (rng.random((*SIZE, 1)) < 0.01) & ~keep
        box = tuple(map(int, (left, top, right, bottom)))
        found = masks.find(rgb, masks.Hint(box, keep, drop), backend="grabcut")  # type: ignore[arg-type]
        assert (found.values[keep] == 1).all()
        assert (found.values[drop] == 0).all()
        assert (found.values[~inside] == 0).all()
        assert found.source == "strokes" if keep.any() or drop.any() else "box"


def test_a_box_chooses_one_of_two(color_prior: list[tuple[int, ...]]) -> None:
    left, right = disc((120, 240), (60, 60), 35), disc((120, 240), (60, 180), 35)
    rgb = photo(left | right)
    found = masks.find(rgb, masks.Hint(box=(20, 20, 100, 100)), backend="grabcut")
    assert iou(found.values, left) > 0.95
    assert found.source == "box"
    assert color_prior == [(100, 100)] * 2, "the box and a tenth around it is all that is looked at"
    assert iou(masks.find(rgb, backend="grabcut").values, left | right) > 0.95


def test_strokes_reach_further_than_themselves(color_prior: list[tuple[int, ...]]) -> None:
    """What the network was sure of wrongly, a line through it brings back or takes away."""
    left, right = disc((120, 240), (60, 60), 35), disc((120, 240), (60, 180), 35)
    rgb = photo(left | right)
    rgb[..., 1] += 0.5 * right[..., 0]  # the other one is yellow
    drop = np.zeros_like(right)
    drop[58:62, 148:212] = True
    found = masks.find(rgb, masks.Hint(drop=drop), backend="grabcut")
    assert found.values[right].mean() < 0.5
    assert found.values[left].mean() > 0.95


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (masks.Hint(box=(0, 0, 161, 120)), "does not lie in the photo of 160 x 120 px"),
        (masks.Hint(box=(5, 5, 5, 9)), "does not lie in"),
        (masks.Hint(box=(9, 0, 5, 9)), "does not lie in"),
        (masks.Hint(box=(-1, 0, 5, 9)), "does not lie in"),
        (masks.Hint(box=(0, 0, 5)), "does not lie in"),  # type: ignore[arg-type]
        (masks.Hint(keep=np.ones(SIZE, bool)), r"'keep' are bool of shape \(120, 160\)"),
        (masks.Hint(drop=np.ones((*SIZE, 1), np.float32)), "'drop' are float32"),
        (masks.Hint(keep=disc(), drop=disc(radius=3)), "draw them apart"),
        (masks.Hint(box=(0, 0, 50, 120), keep=disc()), "draw them apart"),
    ],
)
def test_hints_that_do_not_fit(hint: masks.Hint, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        masks.find(photo(disc()), hint)


def test_a_hint_without_a_mark_is_none(color_prior: list[tuple[int, ...]]) -> None:
    rgb, nothing = photo(disc()), np.zeros((*SIZE, 1), bool)
    bare, empty = (
        masks.find(rgb, backend="grabcut"),
        masks.find(rgb, masks.Hint(None, nothing, nothing), backend="grabcut"),
    )
    np.testing.assert_array_equal(bare.values, empty.values)
    assert bare.source == empty.source == "photo"
    alpha = disc().astype(np.float32)
    assert masks.of(picture(rgb, alpha), hint=masks.Hint()).source == "alpha"


def test_a_hint_counts_more_than_alpha(color_prior: list[tuple[int, ...]]) -> None:
    seen = picture(photo(disc()), disc(radius=20).astype(np.float32))
    assert masks.of(seen, hint=masks.Hint(box=(20, 10, 120, 110)), backend="grabcut").source == "box"


# ---------------------------------------------------------------- confidence


def test_no_cue_of_doubt_raises_the_confidence() -> None:
    weights, clear = trust._fitted()["weights"], np.full(len(trust.CUES), 0.04)
    assert len(weights) == len(trust.CUES) == len(trust._fitted()["cues"])
    assert min(weights) >= 0
    for k in range(len(trust.CUES)):
        doubtful = clear.copy()
        doubtful[k] = 1.0
        assert 0 <= trust.confidence(doubtful) <= trust.confidence(clear) <= 1
    assert trust.confidence(np.ones(len(trust.CUES))) < trust.confidence(clear)


def test_the_threshold_is_the_one_that_was_chosen() -> None:
    assert trust._fitted()["accept"] == masks.ACCEPT


def test_cues_see_what_is_wrong() -> None:
    true = disc()[..., 0]
    small, sure = photo(disc()), 0.98 * true.astype(np.float32) + 0.01
    shifted = np.roll(true, 12, axis=1)

    def cue(name: str, first: np.ndarray, second: np.ndarray, shape: np.ndarray, other: np.ndarray = true) -> float:
        return float(trust.cues(small, first, second, shape, other)[trust.CUES.index(name)])

    elsewhere = 0.98 * shifted.astype(np.float32) + 0.01
    lines = true.copy()
    lines[:, ::2] = False
    two = disc(radius=15, center=(30, 30))[..., 0] | disc(radius=15, center=(90, 120))[..., 0]
    wide = np.zeros(SIZE, bool)
    wide[20:, :] = True
    good = {name: cue(name, sure, sure, true) for name in trust.CUES}
    assert cue("moved", sure, sure, shifted) == pytest.approx(1 - iou(true, shifted))
    assert good["moved"] == good["views"] == good["steady"] == good["cut off"] == good["parts"] == 0
    assert cue("views", sure, elsewhere, true) == pytest.approx(1 - iou(true, shifted))
    assert cue("steady", sure, sure, true, shifted) == pytest.approx(1 - iou(true, shifted))
    assert cue("doubt", 0.5 * sure + 0.25, 0.5 * sure + 0.25, true) > good["doubt"] + 0.2
    assert good["faint"] < 0.05 < 0.3 < cue("faint", sure, sure, shifted)
    assert cue("thin", sure, sure, lines) > 5 * good["thin"]
    assert cue("cut off", sure, sure, wide) > 0.5
    assert cue("parts", sure, sure, two) == 1
    assert cue("small", sure, sure, disc(radius=4)[..., 0]) > good["small"] + 1.5


# ---------------------------------------------------------------- backends


@pytest.fixture
def rembg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module that stands in for rembg, whose answer is a disc; its model file is there."""
    module = types.ModuleType("rembg")
    module.__spec__ = types.SimpleNamespace()  # type: ignore[assignment]
    module.sessions = []  # type: ignore[attr-defined]

    def new_session(name: str, *, model_path: str) -> str:
        module.sessions.append((name, model_path))
        return "session"

    def remove(picture: Image.Image, *, session: str, only_mask: bool) -> Image.Image:
        assert session == "session" and only_mask
        size = (picture.height, picture.width)
        return Image.fromarray((disc(size)[..., 0] * 255).astype(np.uint8))

    module.new_session, module.remove = new_session, remove  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rembg", module)
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    (tmp_path / f"{removal.MODEL}.onnx").write_bytes(b"model")
    removal._session.cache_clear()
    return module


@pytest.mark.parametrize("backend", ["auto", "rembg"])
def test_rembg_is_used_where_it_is_installed(
    backend: str, rembg: types.ModuleType, color_prior: list[tuple[int, ...]], tmp_path: Path
) -> None:
    found = masks.find(photo(disc()), backend=backend)
    np.testing.assert_array_equal(found.values > 0.5, disc())
    assert found.confidence > 0.5
    assert rembg.sessions == [("dis_custom", str(tmp_path / f"{removal.MODEL}.onnx"))]
    wrong = masks.find(photo(disc(radius=15, center=(100, 140))), backend=backend)
    assert wrong.confidence < 0.5, "our own network sees another thing"


def test_without_its_model_rembg_downloads_nothing(
    rembg: types.ModuleType, color_prior: list[tuple[int, ...]], tmp_path: Path
) -> None:
    (tmp_path / f"{removal.MODEL}.onnx").unlink()
    with pytest.raises(WeightsError, match=f"{removal.MODEL}.onnx is not in .*rembg d .*'grabcut'"):
        masks.find(photo(disc()), backend="rembg")
    assert masks.find(photo(disc()), backend="auto").confidence > 0.5
    assert rembg.sessions == []


def test_a_backend_that_is_not_there(monkeypatch: pytest.MonkeyPatch, color_prior: list[tuple[int, ...]]) -> None:
    monkeypatch.setattr(removal.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="'rembg' is not installed: pip install"):
        masks.find(photo(disc()), backend="rembg")
    with pytest.raises(SettingsError, match="'magic' is not known: choose one of auto, grabcut, rembg"):
        masks.find(photo(disc()), backend="magic")


# ---------------------------------------------------------------- the network that ships


@pytest.mark.weights
def test_the_network_that_ships_finds_products() -> None:
    for name in ("vintage_camera", "sneaker_knit"):
        rgb = images.resize(samples.load(name), 640)
        found = masks.find(rgb, backend="grabcut")
        assert iou(found.values, images.resize(samples.mask(name), rgb.shape[:2])) > 0.9
        mirrored = masks.find(rgb[:, ::-1].copy(), backend="grabcut")
        assert iou(found.values, mirrored.values[:, ::-1]) > 0.93
        again = masks.find(rgb, backend="grabcut")
        np.testing.assert_array_equal(found.values, again.values)
        assert found.confidence == again.confidence


@pytest.mark.weights
@pytest.mark.parametrize("size", [(16, 16), (40, 900), (333, 77)])
def test_the_network_takes_any_size(size: tuple[int, int]) -> None:
    chance = masknet.prior(np.random.default_rng(0).random((*size, 3), np.float32))
    assert chance.ndim == 3 and chance.shape[2] == 1
    assert np.isfinite(chance).all()
    assert chance.min() >= 0 and chance.max() <= 1
