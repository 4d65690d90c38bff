"""What every model here shares: two players, an average of the generator, and draws that a resumed run repeats."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..backend import keras, ops, tf
from ..errors import SettingsError
from ..losses import ADVERSARIAL_LOSSES, AdversarialLoss
from ..training import precision


class Outcome(NamedTuple):
    """What one step of the game gives.

    Attributes:
        generator: the generator's loss, a scalar.
        discriminator: the discriminator's.
        parts: more numbers for the log, by the names that the model announced.
    """

    generator: Any
    discriminator: Any
    parts: dict[str, Any]


class Draws:
    """Random numbers of one step: they depend on the seed, the step and the order of asking, and on nothing else.

    So a run that resumes from a checkpoint draws what it would have drawn; the state of Keras's generators is not part
    of TensorFlow's checkpoints.
    """

    def __init__(self, seed: int, step: Any):
        self._key = tf.stack([tf.constant(seed, "int32"), ops.cast(step, "int32")])
        self._asked = 0

    def seed(self) -> Any:
        """The next seed, for TensorFlow's stateless functions: two integers."""
        self._asked += 1
        return tf.random.fold_in(self._key, self._asked)

    def normal(self, shape: Sequence[Any]) -> Any:
        """Independent N(0, 1)."""
        return tf.random.stateless_normal(shape, self.seed())

    def uniform(self, shape: Sequence[Any], low: float = 0.0, high: float = 1.0) -> Any:
        """Independent U(low, high)."""
        return tf.random.stateless_uniform(shape, self.seed(), low, high)

    def integers(self, shape: Sequence[Any], high: Any) -> Any:
        """Independent integers from 0 to high - 1."""
        return tf.random.stateless_uniform(shape, self.seed(), maxval=high, dtype="int32")


def adam(rate: Any = 2e-4, beta_1: float = 0.5, beta_2: float = 0.999) -> Any:
    """Adam as the papers of this package use it: a rate of 2e-4 and a short memory.

    Radford et al. (2016, section 4): with the usual beta_1 of 0.9 training oscillated. Isola et al. (2017, section
    3.3) and Zhu et al. (2017, section 4) took both numbers over.
    """
    return keras.optimizers.Adam(rate, beta_1=beta_1, beta_2=beta_2)


def adversarial_loss(name: str) -> AdversarialLoss:
    """One of ``losses.ADVERSARIAL_LOSSES`` by name.

    Raises:
        SettingsError: there is none of that name.
    """
    if name not in ADVERSARIAL_LOSSES:
        known = ", ".join(ADVERSARIAL_LOSSES)
        raise SettingsError(f"There is no adversarial loss {name!r}; choose one of {known}.")
    return ADVERSARIAL_LOSSES[name]


class Game(keras.Model):
    """A generator and a discriminator, trained in turns of one step each, for ``keras.Model.fit``.

    Both gradients are taken at the same weights, from one forward pass (simultaneous descent, Mescheder et al. 2018,
    section 2): pictures are generated once a step and not twice. A kind of game is a subclass with :meth:`outcome`.

    Args:
        generator, discriminator: networks; several are held together by one Keras model.
        sampler: another instance of the generator, for the average of its weights: what pictures are drawn with.
        average: decay of that average, ``w <- d w + (1 - d) v`` after each step (Karras et al. 2018, appendix A.1:
            0.999). In the first steps d is at most ``(1 + t) / (10 + t)``, as in TensorFlow's
            ExponentialMovingAverage: the average must forget the weights that it began with.
        parts: names of what :meth:`outcome` reports beside the two losses.
        seed: of all draws.
    """

    def __init__(
        self,
        generator: Any,
        discriminator: Any,
        sampler: Any,
        *,
        average: float = 0.999,
        parts: Sequence[str] = (),
        seed: int = 0,
    ):
        super().__init__(autocast=False)
        self.generator, self.discriminator, self.sampler = generator, discriminator, sampler
        self.average, self.seed = average, seed
        self.sampler.trainable = False
        self.sampler.set_weights(self.generator.get_weights())
        # tf.train.Checkpoint does not see Keras's own counters; this one it does.
        self.step = tf.Variable(0, dtype="int64", trainable=False, name="step")
        self._means = {name: keras.metrics.Mean(name) for name in ("generator", "discriminator", *parts)}
        self.built = True  # its networks are

    def compile(self, generator_optimizer: Any = None, discriminator_optimizer: Any = None, **settings: Any) -> None:
        """Gives each player its optimizer; :func:`adam` where none is given.

        Args:
            settings: of ``keras.Model.compile``. XLA is off: on CPUs it was the slower one.
        """
        super().compile(optimizer=None, **{"jit_compile": False, **settings})
        self.generator_optimizer = self._scaled(generator_optimizer or adam())
        self.discriminator_optimizer = self._scaled(discriminator_optimizer or adam())
        self.generator_optimizer.build(self.generator.trainable_variables)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)

    def _scaled(self, optimizer: Any) -> Any:
        """float16 gradients fall below its smallest number without a factor (bfloat16 has float32's range)."""
        return keras.optimizers.LossScaleOptimizer(optimizer) if precision() == "mixed_float16" else optimizer

    @property
    def metrics(self) -> list[Any]:
        """The losses and their parts, means since the epoch began."""
        return list(self._means.values())

    size: int | None = None  # side in pixels of all pictures; None for any

    def holds(self) -> tuple[str, ...]:
        """What a batch is made of, in order: "pictures" and "labels"."""
        return ("pictures",)

    def _checked(self, data: Any) -> Any:
        """The batch as :meth:`outcome` takes it: a tensor where it is one, else a tuple of them."""
        kinds = self.holds()
        parts = tuple(data) if isinstance(data, tuple | list) else (data,)
        side = self.size
        wanted = [(None, side, side, 3) if kind == "pictures" else (None,) for kind in kinds]
        found = [tf.TensorShape(part.shape) for part in parts]
        if len(found) != len(wanted) or not all(f.is_compatible_with(w) for f, w in zip(found, wanted, strict=True)):
            shapes = [
                " and ".join(str(tuple(shape)) for shape in some).replace("None", "any") for some in (wanted, found)
            ]
            raise SettingsError(
                f"A batch for {type(self).__name__} is {' and '.join(kinds)}, {shapes[0]}, not {shapes[1]}."
            )
        return parts if len(parts) > 1 else parts[0]

    def outcome(self, batch: Any, draws: Draws) -> Outcome:
        """Both players' losses of a batch; each is differentiated by its own player's variables alone."""
        raise NotImplementedError

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step of each player, and of the average.

        Raises:
            SettingsError: the batch does not hold what this game is played with.
        """
        batch = self._checked(data)
        with tf.GradientTape() as of_generator, tf.GradientTape() as of_discriminator:
            outcome = self.outcome(batch, Draws(self.seed, self.step))
            generator_loss = self.generator_optimizer.scale_loss(outcome.generator)
            discriminator_loss = self.discriminator_optimizer.scale_loss(outcome.discriminator)
        moves = (
            (of_generator, generator_loss, self.generator_optimizer, self.generator),
            (of_discriminator, discriminator_loss, self.discriminator_optimizer, self.discriminator),
        )
        gradients = [tape.gradient(loss, player.trainable_variables) for tape, loss, _, player in moves]
        for (_, _, optimizer, player), gradient in zip(moves, gradients, strict=True):
            if any(part is not None for part in gradient):  # a judge that was not asked has none
                optimizer.apply(gradient, player.trainable_variables)
        self.step.assign_add(1)
        self._follow()
        for name, value in {
            "generator": outcome.generator,
            "discriminator": outcome.discriminator,
            **outcome.parts,
        }.items():
            self._means[name].update_state(value)
        return {name: mean.result() for name, mean in self._means.items()}

    def _follow(self) -> None:
        """The sampler one step on; statistics that are no trained weights are copied."""
        step = ops.cast(self.step, "float32")
        decay = ops.minimum(self.average, (1 + step) / (10 + step))
        for mean, value in zip(self.sampler.weights, self.generator.weights, strict=True):
            mean.assign(decay * mean + (1 - decay) * value if value.trainable else value)
