"""What training and optimization minimize: perceptual losses and their weighted sum, and the GAN objectives."""

from .adversarial import ADVERSARIAL_LOSSES, AdversarialLoss, gradient_penalty, r1_penalty
from .objective import STYLE_LOSSES, PerceptualObjective, Terms, blend
from .perceptual import (
    content_loss,
    gram_loss,
    gram_matrix,
    mean_covariance,
    moments,
    moments_loss,
    total_variation,
    w2_loss,
    weave,
)

__all__ = [
    "ADVERSARIAL_LOSSES",
    "STYLE_LOSSES",
    "AdversarialLoss",
    "PerceptualObjective",
    "Terms",
    "blend",
    "content_loss",
    "gradient_penalty",
    "gram_loss",
    "gram_matrix",
    "mean_covariance",
    "moments",
    "moments_loss",
    "r1_penalty",
    "total_variation",
    "w2_loss",
    "weave",
]
