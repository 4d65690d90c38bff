"""What training and optimization minimize: perceptual losses and their weighted sum."""

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
)

__all__ = [
    "STYLE_LOSSES",
    "PerceptualObjective",
    "Terms",
    "blend",
    "content_loss",
    "gram_loss",
    "gram_matrix",
    "mean_covariance",
    "moments",
    "moments_loss",
    "total_variation",
    "w2_loss",
]
