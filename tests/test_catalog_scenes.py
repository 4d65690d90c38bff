"""Backdrops: wall, floor and shadow."""

import numpy as np
import pytest

from stylelab import images, samples, stylizers
from stylelab.catalog import scenes
from stylelab.errors import ImageError, SettingsError


class Same(stylizers.Stylizer):
    """A method that changes nothing, so that the scene is the painting's."""

    def _stylize(self, content, style, **settings):
        return content


class Named(Same):
    """A network of somebody's own, which knows its style by name only."""

    styles = ("mine",)

    def _resolve(self, style):
        if style != "mine":
            raise SettingsError("The style is not known; choose mine.")
        return stylizers.Style.trained(style)


def standing(size, *boxes):
    """A mask of boxes (left, right, top, bottom), in shares of the size."""
    mask = np.zeros((size, size, 1), "float32")
    for left, right, top, bottom in boxes:
        mask[round(top * size) : round(bottom * size), round(left * size) : round(right * size)] = 1
    return mask


@pytest.mark.parametrize("size", [16, 17, 64, 200])
@pytest.mark.parametrize("picture", [(1, 1), (30, 400), (400, 30), (128, 128)])
def test_any_size_and_any_picture(size, picture):
    rgb = np.random.default_rng(0).random((*picture, 3)).astype("float32")
    scene = scenes.backdrop(size, Same(), "hokusai_great_wave", picture=rgb)
    assert scene.shape == (size, size, 3)
    assert scene.dtype == np.float32
    images.check(scene)


def test_the_paper_is_the_picture_and_has_no_seam():
    y, x = np.mgrid[:1:600j, :1:900j]
    rgb = np.stack([y, x, 0.5 * np.ones_like(y)], -1).astype("float32")
    paper = scenes.sweep(rgb, 300)
    horizon = round(scenes.HORIZON * 300)
    assert (np.diff(paper[:horizon, 150, 0]) > 0).all()  # the wall as it hangs
    assert (np.diff(paper[horizon + 1 :, 150, 0]) < 0).all()  # the floor upside down
    assert np.abs(np.diff(paper, axis=0)).max() < 0.02
    np.testing.assert_allclose(np.diff(paper[20, :, 1]).std(), 0, atol=1e-4)
    # Nearer is larger: the same step across shows less of the picture.
    across = np.ptp(paper[[horizon - 5, 298], :, 1], axis=1)
    assert across[1] < 0.6 * across[0]
    along = -np.diff(paper[horizon + 1 :, 150, 0])
    assert along[-1] < 0.4 * along[0]


def test_strength_goes_from_the_studio_to_the_style():
    studio = scenes.studio(96)
    assert np.ptp(studio, axis=-1).max() < 1e-6  # gray
    assert studio.min() > 0.5
    at = {s: scenes.backdrop(96, Same(), "vangogh_starry_night", strength=s) for s in (0, 0.5, 1)}
    np.testing.assert_allclose(at[0], studio, atol=1e-6)
    np.testing.assert_allclose(at[0.5], (studio + at[1]) / 2, atol=1e-5)
    assert np.abs(at[1] - studio).mean() > 0.1


def test_the_ground_has_the_paintings_color_and_less_contrast():
    painting = samples.load("vangogh_starry_night")
    scene = scenes.backdrop(128, Same(), "vangogh_starry_night")
    assert scene.mean((0, 1)).argmax() == painting.mean((0, 1)).argmax() == 2  # blue
    assert scene.std((0, 1)).max() < painting.std((0, 1)).max()


def test_several_pictures_blend_by_their_weights():
    red, blue = np.zeros((20, 20, 3), "float32"), np.zeros((20, 20, 3), "float32")
    red[..., 0], blue[..., 2] = 1, 1
    mostly_blue = scenes.backdrop(64, Same(), stylizers.Style.of([red, blue], [1, 3]))
    assert mostly_blue[:20, :, 2].mean() > 2 * mostly_blue[:20, :, 0].mean()


def test_a_style_known_by_name_only_is_painted_onto_the_studio():
    assert np.ptp(scenes.backdrop(64, Named(), "mine"), axis=-1).max() < 1e-5
    for strength in (0, 1):
        with pytest.raises(SettingsError, match="not known"):
            scenes.backdrop(64, Named(), "yours", strength=strength)
    with pytest.raises(ImageError, match="divide it by 255"):
        scenes.backdrop(64, Same(), "mine", picture=np.full((9, 9, 3), 255.0))


def test_a_scene_of_many_pixels_is_the_smaller_one_enlarged(monkeypatch):
    monkeypatch.setattr(scenes, "WORK", 100)
    small, large = (scenes.backdrop(size, Same(), "hokusai_great_wave") for size in (100, 250))
    assert np.abs(images.resize(large, 100) - small).mean() < 0.01
    assert np.abs(images.resize(large, 100) - small).max() < 0.08  # two filters' overshoot


@pytest.mark.parametrize("size", [64, 200, 700])
def test_a_shadow_lies_on_the_floor_around_the_foot(size):
    dark = scenes.shadow(standing(size, (0.3, 0.7, 0.3, scenes.FLOOR)))[..., 0]
    assert dark.shape == (size, size)
    assert dark.min() >= 0
    assert dark.max() < 0.95
    floor = round(scenes.FLOOR * size)
    below = dark[floor + round(0.005 * size) + 1, size // 2]
    assert below > 0.4
    assert dark[floor + round(0.12 * size), size // 2] < 0.05  # it ends
    assert dark[: floor // 2].max() < 0.01  # none on the wall
    np.testing.assert_allclose(dark, dark[:, ::-1], atol=0.1)  # light from above
    assert (np.diff(dark[floor + 2 :, size // 2]) <= 1e-3).all()  # softer with distance


def test_a_hanging_product_throws_less_and_none_without_a_product():
    foot = np.s_[round(scenes.FLOOR * 200) - 6 :]
    stands = scenes.shadow(standing(200, (0.3, 0.7, 0.3, scenes.FLOOR)))[foot].sum()
    floats = scenes.shadow(standing(200, (0.3, 0.7, 0.1, scenes.FLOOR - 0.2)))[foot].sum()
    hangs = scenes.shadow(standing(200, (0.3, 0.7, 0, 0.2)))[foot].sum()
    assert stands > 1.5 * floats > 3 * hangs
    assert scenes.shadow(np.zeros((100, 100, 1), "float32")).max() == 0
    assert scenes.shadow(np.ones((100, 100, 1), "float32")).shape == (100, 100, 1)


def test_hind_legs_stand_too():
    """A table: a front leg on the floor line, a hind leg 8 % further up, a board 40 % up between them."""
    mask = standing(400, (0.2, 0.25, 0.3, scenes.FLOOR), (0.7, 0.75, 0.3, scenes.FLOOR - 0.08), (0.2, 0.75, 0.3, 0.44))
    dark = scenes.shadow(mask)[..., 0]
    hind = dark[round((scenes.FLOOR - 0.08) * 400) + 2, 290]
    board = dark[round(0.44 * 400) + 2, 180]
    assert hind > 0.25
    assert board < 0.02
