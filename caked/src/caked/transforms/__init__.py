"""Transforms: modules on ``(B, C, *spatial)``, images and volumes alike, each sample by itself."""

from caked.transforms.base import Batch, RandomTransform, Transform, register, transform_from_dict
from caked.transforms.blur import GaussianBlur
from caked.transforms.compose import Compose, RandomApply, as_transform
from caked.transforms.foreign import Foreign, Torchvision
from caked.transforms.fourier import FourierCrop
from caked.transforms.geometry import RandomFlip, RandomRoll, RandomRot90
from caked.transforms.intensity import Clip, Invert, MinMax, Standardise
from caked.transforms.noise import GaussianNoise

__all__ = [
    "Batch",
    "Clip",
    "Compose",
    "Foreign",
    "FourierCrop",
    "GaussianBlur",
    "GaussianNoise",
    "Invert",
    "MinMax",
    "RandomApply",
    "RandomFlip",
    "RandomRoll",
    "RandomRot90",
    "RandomTransform",
    "Standardise",
    "Torchvision",
    "Transform",
    "as_transform",
    "register",
    "transform_from_dict",
]
