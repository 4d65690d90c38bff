"""The open exercise of chapter 07: a generator that has not collapsed, within a budget of steps and parameters."""

from typing import Any

from stylelab.errors import SettingsError
from stylelab.exercises import REQUIRED, Exercise, register
from stylelab.exercises.attempt import Attempt, Verdict

# cure-collapse


def cured(train: Any) -> Any:
    """One of many answers: equal rates, so that the judge keeps up, and R1, so that it stays gentle."""
    from stylelab.gans import DCGAN, adam

    model = DCGAN(16, width=16, r1=0.1, average=0.99)
    model.compile(adam(5e-4), adam(5e-4))
    return train(model)


def _measured(attempt: Attempt, *, real: Any, limit: int, parameters: int, bound: float) -> str | None:
    """Steps, parameters, collapse and KID of what the student trained."""
    from stylelab import metrics
    from stylelab.gans import DCGAN

    if len(real) < 2 or limit < 1:
        raise SettingsError("Give at least 2 real pictures to measure against, and a limit of at least 1 step.")
    # A model is a function too, though not the one that returns it.
    model = attempt.function if isinstance(attempt.function, DCGAN) else attempt()
    if not isinstance(model, DCGAN):
        raise Verdict("wrong", f"this is of type {type(model).__name__}; give your trained DCGAN.")
    if (model.size, model.size, 3) != tuple(real.shape[1:]):
        raise Verdict("wrong", f"your pictures have {model.size} px; wanted are {real.shape[1]} px.")
    steps, numbers = int(model.step), model.generator.count_params()
    if steps == 0:
        raise Verdict("wrong", "nothing was trained: the model has made no step. Call fit and return the model.")
    if steps > limit:
        raise Verdict("wrong", f"your model made {steps} steps; the budget is {limit}. Begin with a new model.")
    if numbers > parameters:
        raise Verdict("wrong", f"your generator has {numbers} parameters; the budget is {parameters}: take width=16.")
    made = model.sample(len(real), seed=7)
    x, y = metrics.vgg_features(real), metrics.vgg_features(made)
    found, distance = metrics.collapse(y, x), metrics.kid(x, y).value
    if not found.collapsed and distance <= bound:
        return None
    if not found.collapsed:
        verdict = "No collapse, and still far from garments. Trained enough? Are both rates high enough?"
    elif found.diversity < 0.5 or found.duplicates > 0.5:
        verdict = "It makes much the same picture again and again. Can the judge keep up with the generator?"
    else:
        verdict = "The pictures differ, but most kinds of garments are missing. Is the judge too strong, or too weak?"
    return (
        f"KID {distance:.2f} (at most {bound:.2f}), diversity {found.diversity:.2f}, duplicates "
        f"{found.duplicates:.0%}, missing {found.missing:.0%} after {steps} steps. {verdict}"
    )


register(
    Exercise(
        name="cure-collapse",
        chapter="07",
        task="Train a DCGAN of 16 px within the budget of steps and parameters so that its pictures are not collapsed "
        "and its KID is below the bound. Check the trained model: ex.check(model).",
        hints=(
            "A generator collapses onto what the judge of this moment likes best. Who must be quicker?",
            "Settings that count: both rates in compile, r1, spectral, augment, loss, and average for short runs.",
            "Start from equal rates of 5e-4, r1=0.1 and average=0.99, change one thing, and look at the picture.",
        ),
        checks=(_measured,),
        right="no single trick does it: a judge that keeps up, is not too steep, and cannot learn pictures by heart.",
        answer=cured,
        given={"real": REQUIRED, "limit": REQUIRED, "parameters": 220_000, "bound": REQUIRED},
        takes_value=True,
        open=True,
    )
)
