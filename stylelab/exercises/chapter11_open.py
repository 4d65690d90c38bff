"""The open exercise of chapter 11: a ground in the house's colors that still is a painting, and the product exact."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from stylelab.errors import SettingsError
from stylelab.exercises import REQUIRED, Exercise, register
from stylelab.exercises.attempt import Attempt, picture_of


def on_brand(product: Any, painting: Any, colors: Any) -> Any:
    """One of many answers: the painting in the house's colors first (CORAL, chapter 03), then the backdrop as ever."""
    from stylelab import stylizers
    from stylelab.catalog.product import render

    swatches = np.repeat(np.asarray(colors[1:], "float32")[None], 8, axis=0)  # the palette's first is white
    painting = stylizers.coral(painting, swatches)
    return render(product, "backdrop", stylizers.get("any"), painting)


def _on_brand(attempt: Attempt, *, product: Any, style: Any, slot: Any, style_bound: float) -> str | None:
    """The rules' own verdict, the product's pixels, and how much of the painting is there."""
    from stylelab import images, metrics
    from stylelab.catalog.product import core

    if not 0 < style_bound < float("inf"):
        raise SettingsError(f"The bound of the exercise is {style_bound}: give a positive number.")
    picture = picture_of(attempt, product.rgb.shape)
    kept = core(product.mask)[..., 0]
    levels, wanted = (images.to_uint8(p)[kept].astype(int) for p in (picture, product.rgb))
    off = int(np.abs(levels - wanted).max(initial=0))
    if off:
        return (
            f"the product's core differs from the photo's by up to {off} of 255 levels: lay the product over your "
            "ground last, as product.render(product, 'backdrop', None, None, ground=ground) does."
        )
    reasons = _reasons(picture, product.mask, slot)
    distance = metrics.style_distance(picture, style, 256)
    painted = distance <= style_bound
    if painted and not reasons:
        return None
    if painted:
        verdict = "The painting is there and the house is not. What brings its colors nearer to the palette?"
    elif not reasons:
        verdict = "The house is content and the painting is gone. How much of it does the palette allow?"
    else:
        verdict = "Neither is there yet; begin with the backdrop of section 11.4, and mix it with one of the colors."
    said = " ".join(reasons) or f"Fit for {slot.name}."
    return f"{said} Style distance {distance:.3f} (at most {style_bound:.3f}). {verdict}"


def _reasons(picture: np.ndarray, mask: np.ndarray, slot: Any) -> tuple[str, ...]:
    """Why a picture is not fit for a slot, asked of its file, as the shop would."""
    from stylelab import images
    from stylelab.catalog import rules

    with TemporaryDirectory() as folder:
        file = images.write(Path(folder) / "picture.png", picture)
        white = images.write(Path(folder) / "mask.png", np.repeat(mask, 3, axis=-1))
        return rules.lint(file, mask=white, slots=[slot])[0].reasons


register(
    Exercise(
        name="on-brand",
        chapter="11",
        task="Make a picture of the product, of product.rgb's size, that is fit for the slot of the house's brand kit "
        "and still has the painting in its ground, within a bound on the style distance; the product's core stays "
        "exact. Check it: ex.check(lambda: picture).",
        hints=(
            "A plain ground of a palette's color misses one bound and the backdrop the other. What lies between?",
            "A scene mixed with a color of the palette comes nearer with each share. Lay the product over it last "
            "(product.render with your ground).",
            "Or give the painting the palette's colors before it is used: stylizers.coral(painting, swatches).",
        ),
        checks=(_on_brand,),
        right="in the house's colors, in the painter's hand, and the product as it is.",
        answer=on_brand,
        # The cactus before Hokusai's wave at 800 px: palette and style distance of plain cream 1.00 and 1.165, of the
        # backdrop 0.31 and 0.720; of the answer 0.99 and 0.875, of a quarter of the scene in cream 1.00 and 0.873.
        given={"product": REQUIRED, "style": REQUIRED, "slot": REQUIRED, "style_bound": REQUIRED},
        takes_value=True,
        open=True,
    )
)
