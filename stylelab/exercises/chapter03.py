"""Exercises of chapter 03: a step of Adam, the sizes from coarse to fine, a legible logo."""

import math
from itertools import pairwise
from typing import Any

import numpy as np

from stylelab.errors import SettingsError
from stylelab.exercises import REQUIRED, Exercise, register
from stylelab.exercises.attempt import Attempt, Verdict, array, compare, picture_of

# adam-step


def adam_step(x: Any, g: Any, m: Any, v: Any, t: int, lr: float, beta1: float, beta2: float, eps: float) -> Any:
    """One step of Adam on a picture (Kingma and Ba 2015, algorithm 1), kept in 0..1."""
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    x = x - lr * m_hat / (np.sqrt(v_hat) + eps)
    return np.clip(x, 0, 1), m, v


ADAM_MISTAKES = (
    ("np.clip(x, 0, 1), m, v", "np.clip(x, 0, 1), v, m", "what you return is not in the order x, m, v."),
    ("np.clip(x, 0, 1), m, v", "v, m, np.clip(x, 0, 1)", "what you return is not in the order x, m, v."),
    ("m = beta1 * m + (1 - beta1) * g", "m = m", "m comes back as it went in; move it a little towards g."),
    ("beta1 * m + (1 - beta1)", "(1 - beta1) * m + beta1", "m takes beta1 of g; let it keep beta1 of m."),
    ("beta1 * m + (1 - beta1)", "beta2 * m + (1 - beta2)", "m is averaged with beta2; beta1 is m's."),
    ("(1 - beta1) * g", "g", "m adds all of g and is {ratio:.1f} times too large; add 1 - beta1 of it."),
    ("m_hat = m /", "m = m_hat = m /", "m comes back corrected; the next step would correct it again."),
    ("v = beta2 * v + (1 - beta2) * g**2", "v = v", "v comes back as it went in; move it towards g squared."),
    (
        "beta2 * v + (1 - beta2)",
        "(1 - beta2) * v + beta2",
        "v takes beta2 of g squared; let it keep beta2 of v.",
    ),
    ("beta2 * v + (1 - beta2)", "beta1 * v + (1 - beta1)", "v is averaged with beta1; beta2 is v's."),
    ("(1 - beta2) * g**2", "g**2", "v adds all of g squared; an average adds 1 - beta2 of it."),
    ("g**2", "g", "v averages g; it should average g squared."),
    ("g**2", "abs(g)", "v averages the size of g; it should average g squared."),
    ("v_hat = v /", "v = v_hat = v /", "v comes back corrected; the next step would correct it again."),
    ("x = x - lr", "x = x; lr", "x comes back as it went in."),
    ("x - lr", "x + lr", "x moves uphill; the loss falls against the gradient, so subtract the step."),
    (
        "m / (1 - beta1**t)\n    v_hat = v / (1 - beta2**t)",
        "m\n    v_hat = v",
        "your step is {ratio:.2f} times Adam's. m and v began at zero: what share do they hold by now?",
    ),
    ("v / (1 - beta2**t)", "v", "m is bias-corrected and v is not."),
    ("m / (1 - beta1**t)", "m", "v is bias-corrected and m is not."),
    ("**t", "**(t - 1)", "the bias correction has the power t - 1; t counts from 1 already."),
    ("**t", "**(t + 1)", "the bias correction has the power t + 1; t counts from 1 already."),
    ("**t", "", "the bias correction is that of the first step at every step; it needs beta ** t."),
    ("v_hat) + eps", "v_hat + eps)", "eps stands inside the square root; add it to the root."),
    ("np.sqrt(v_hat)", "v_hat", "the square root is missing; v has the unit of g squared."),
    (" + eps", "", "eps is missing; where v is zero you divide by zero."),
    (
        "v_hat) + eps",
        "v_hat) + eps / np.sqrt(1 - beta2**t)",
        "eps is added before v is corrected; correct v first.",
    ),
    ("lr * m_hat", "lr * g", "the step follows g itself; let it follow the average m."),
    ("lr * m_hat", "m_hat", "lr is missing; the step is {ratio:.0f} times too long."),
)


def _adam_inputs(t: int, spread: float = 0.1, lr: float = 0.02) -> tuple[Any, ...]:
    """Arguments on which no two formulas agree; eps is large enough to be seen, and lr too small to clip."""
    rng = np.random.default_rng(t)
    shape = (6, 5, 3)
    x, g = 0.5 + spread * rng.uniform(-1, 1, shape), rng.normal(0, 0.5, shape)
    m, v = rng.normal(0, 0.2, shape), rng.uniform(0.05, 0.2, shape)
    if t == 1:  # Adam begins with averages of zero
        m, v = np.zeros(shape), np.zeros(shape)
    return x, g, m, v, t, lr, 0.9, 0.97, 0.02


def _three(value: Any, shape: tuple[int, ...]) -> list[np.ndarray]:
    if not isinstance(value, tuple | list) or len(value) != 3:
        what = f"{len(value)} values" if isinstance(value, tuple | list) else f"one {type(value).__name__}"
        raise Verdict("wrong", f"you returned {what}; return three: x, m, v.")
    return [array(part, name, shape) for part, name in zip(value, "xmv", strict=True)]


def _adam_formula(attempt: Attempt) -> str | None:
    """In the middle of a run and at its first step."""

    def parts(value: Any) -> dict[str, np.ndarray]:
        after, m, v = _three(value, x.shape)
        return {"m": m, "v": v, "the step": after - x}

    for t, where in (7, ""), (1, "at the first step, "):
        x, *others = _adam_inputs(t)
        message = compare(attempt, (x, *others), adam_step, ADAM_MISTAKES, parts)
        if message:
            return where + message
    return None


def _adam_clipped(attempt: Attempt) -> str | None:
    """The picture stays in 0..1, and only what left the range is moved back."""
    given = _adam_inputs(t=7, spread=0.5, lr=0.1)
    x, _, _ = _three(attempt(*given), given[0].shape)
    if x.min() < 0 or x.max() > 1:
        return f"after a step x runs from {x.min():.2f} to {x.max():.2f}; clip it to 0..1, and do so last."
    wrong = ~np.isclose(x, adam_step(*given)[0], rtol=1e-4, atol=1e-6)
    return f"x stays in 0..1, but {wrong.mean():.0%} of it moved wrongly; clip it." if wrong.any() else None


register(
    Exercise(
        name="adam-step",
        chapter="03",
        task="Write adam_step(x, g, m, v, t, lr, beta1, beta2, eps) -> (x, m, v): one update of Adam "
        "with bias correction (t counts from 1), the picture x clipped to 0..1 at the end.",
        hints=(
            "Three things happen in this order: the two averages take in the new gradient, they are "
            "corrected for having begun at zero, and x moves.",
            "m is a moving average of g that keeps beta1 of its past; v is one of g * g that keeps beta2.",
            "After t steps from zero, m holds only a share 1 - beta1 ** t of what it should, and v a share "
            "1 - beta2 ** t. Divide by these in new variables m_hat and v_hat; return m and v themselves.",
            "x = x - lr * m_hat / (np.sqrt(v_hat) + eps), then np.clip(x, 0, 1).",
        ),
        checks=(_adam_formula, _adam_clipped),
        right="m_hat / sqrt(v_hat) has no unit, so lr is about how far a pixel moves in one step, "
        "whatever the weights of the losses are.",
        answer=adam_step,
        mistakes=ADAM_MISTAKES,
    )
)

# pyramid-sizes


def _sizes(attempt: Attempt, args: tuple[int, ...]) -> list[int]:
    value = attempt(*args)
    if not isinstance(value, tuple | list | np.ndarray) or np.ndim(value) != 1 or not len(value):
        raise Verdict("wrong", f"{_call(args)} gives {value!r}; wanted is a list of sizes.")
    for size in value:
        if isinstance(size, bool) or not isinstance(size, int | np.integer):
            raise Verdict("wrong", f"{_call(args)} holds {size!r}; sizes are whole pixels: round to int.")
    return [int(size) for size in value]


def _call(args: tuple[int, ...]) -> str:
    return f"pyramid({', '.join(map(str, args))})"


def _list(values: list[Any]) -> str:
    return f"[{', '.join(map(str, values[:8]))}{', ...' if len(values) > 8 else ''}]"


def _pyramid(attempt: Attempt) -> str | None:
    """One scale where one is enough; else as :func:`_wrong_scales` wants them."""
    for args in ((128,), (100,), (384,), (512,), (640,), (300, 96), (129,), (1024, 32)):
        message = _wrong_scales(_sizes(attempt, args), *args)
        if message:
            return f"{_call(args)} {message}"
    return None


def _wrong_scales(got: list[int], size: int, start: int = 128) -> str | None:
    """Coarse to fine, both ends exact, at most doubling, no scale too many, equal factors, rounded."""
    if size <= start:
        wanted = f"a picture no larger than the start has one scale, [{size}]."
        return None if got == [size] else f"gives {_list(got)}; {wanted}"
    gaps = math.ceil(math.log2(size / start))
    exact = [start * (size / start) ** (k / gaps) for k in range(gaps + 1)]
    nearest = [round(value) for value in exact]
    if got == nearest:
        return None
    if len(got) > 1 and got == sorted(got, reverse=True):
        return f"gives {_list(got)}, fine to coarse; begin with the coarsest."
    if got[-1] != size:
        return f"ends at {got[-1]}; the last scale must be the full size, {size}."
    if got[0] != start:
        return f"begins at {got[0]}; the first scale must be the start, {start}."
    factors = [b / a for a, b in pairwise(got)]
    if min(factors) <= 1:
        return f"gives {_list(got)}; each scale must be larger than the one before."
    if len(got) < len(nearest):
        k = factors.index(max(factors))
        return f"goes from {got[k]} to {got[k + 1]}, by a factor of {factors[k]:.2f}; at most 2 is allowed."
    if len(got) > len(nearest):
        enough = f"{len(nearest)} are enough. How often must {start} double to reach {size}?"
        return f"has {len(got)} scales, {_list(got)}; {enough}"
    for verb, rounding in (("cuts", math.floor), ("raises", math.ceil)):
        if got == [rounding(round(value, 6)) for value in exact]:
            k = next(k for k, wanted in enumerate(nearest) if got[k] != wanted)
            return f"{verb} {exact[k]:.2f} to {got[k]}; the nearest whole number is {nearest[k]}."
    return f"gives {_list(got)}, with the factors {_list([round(f, 2) for f in factors])}; make them equal."


register(
    Exercise(
        name="pyramid-sizes",
        chapter="03",
        task="Write pyramid(size, start=128) -> list of working sizes, coarse to fine: from start to "
        "exactly size by equal factors of at most 2, in the fewest scales, rounded to whole pixels. "
        "A size up to start gives [size].",
        hints=(
            "How many doublings does it take from start to size? It need not be a whole number of them.",
            "math.log2(size / start), rounded up, is the number of gaps; there is one scale more than gaps.",
            "With n gaps the common factor is (size / start) ** (1 / n); scale k is start * factor ** k.",
            "After the case size <= start: [round(start * (size / start) ** (k / n)) for k in range(n + 1)].",
        ),
        checks=(_pyramid,),
        right="each scale settles the strokes of its own size, and leaves at most a doubling to the next.",
        answer="stylelab.optimize:pyramid_sizes",
    )
)

# logo-legible


def legible(photo: np.ndarray, painting: np.ndarray, region: np.ndarray) -> np.ndarray:
    """One of many answers: style everything, then give the marked region its own pixels back.

    A lower ``strength`` or ``style_weight`` is another; it pays with style everywhere, not in one place.
    """
    from stylelab.optimize import Optimize
    from stylelab.stylizers import KeepProduct

    return KeepProduct(Optimize(), region).stylize(photo[None], painting)[0]


def _legible(
    attempt: Attempt,
    *,
    content: np.ndarray,
    style: np.ndarray,
    region: np.ndarray,
    style_bound: float,
    content_bound: float,
    edge_bound: float,
) -> str | None:
    """The style is there, the picture is still the photo, the region's edges survived: all three measured."""
    from stylelab import metrics

    height, width = np.shape(content)[:2]
    if np.shape(region) != (height, width, 1) or not np.any(region):
        raise SettingsError(
            f"The region has shape {list(np.shape(region))} and {np.sum(region):.0f} marked pixels: give "
            f"a mask of shape [{height}, {width}, 1] with 1 where the lettering is."
        )
    picture = picture_of(attempt, np.shape(content))
    style_distance = metrics.style_distance(picture, style)
    content_distance = metrics.content_distance(picture, content)
    edges = metrics.edge_preservation(picture, content, region)
    styled, readable = style_distance <= style_bound, edges >= edge_bound
    if content_distance > content_bound:
        verdict = "This is hardly the photo any more; the content term is what holds it together."
    elif styled and readable:
        return None
    elif styled:
        verdict = "The style is there and the lettering is not. Where could you ask for less style?"
    elif readable:
        verdict = "The lettering is there and the style is not. What did you give up outside the region?"
    else:
        verdict = "Neither is there yet; begin with the default settings, then protect the region."
    return (
        f"style distance {style_distance:.3f} (at most {style_bound:.3f}), "
        f"content distance {content_distance:.2f} (at most {content_bound:.2f}), "
        f"edges in the region {edges:.2f} (at least {edge_bound:.2f}). {verdict}"
    )


register(
    Exercise(
        name="logo-legible",
        chapter="03",
        task="Bring the painting's style onto the photo and keep the lettering in the marked region "
        "legible, with any settings you like. Check the picture that comes out: ex.check(lambda: result).",
        hints=(
            "Two of the three numbers pull against each other. Which setting moves one without the other?",
            "style_weight and strength trade style against edges everywhere at once; a mask does it in one place.",
            "stylizers.KeepProduct(Optimize(...), region) gives the marked pixels back as they were.",
        ),
        checks=(_legible,),
        right="the lettering reads and the style holds. Where a thing must survive, a mask costs the least style.",
        answer=legible,
        given={
            "content": REQUIRED,
            "style": REQUIRED,
            "region": REQUIRED,
            # Measured on the chapter's pair at 224 px (style, content, edges). Default: 0.22, 0.89, 0.76; masked:
            # 0.24, 0.74, 0.98; strength 0.5: 0.30, 0.49, 0.88; the painting with the lettering: 0.14, 1.53, 0.96.
            "style_bound": 0.33,
            "content_bound": 1.2,
            "edge_bound": 0.8,
        },
        takes_value=True,
        open=True,
    )
)
