"""How good is it: numbers for one picture, for a pair, and for a whole set of generated pictures."""

from .classes import ClassReport, build_garment_classifier, class_report, garment_classifier
from .pictures import (
    checkerboard,
    color_difference,
    content_distance,
    edge_preservation,
    l1_distance,
    perceptual_distance,
    perceptual_distances,
    ssim,
    style_distance,
)
from .sets import Collapse, Estimate, bootstrap_mean, collapse, fid, kid, vgg_features

__all__ = [
    "ClassReport",
    "Collapse",
    "Estimate",
    "bootstrap_mean",
    "build_garment_classifier",
    "checkerboard",
    "class_report",
    "collapse",
    "color_difference",
    "content_distance",
    "edge_preservation",
    "fid",
    "garment_classifier",
    "kid",
    "l1_distance",
    "perceptual_distance",
    "perceptual_distances",
    "ssim",
    "style_distance",
    "vgg_features",
]
