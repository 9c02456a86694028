"""Transforms: modules on ``(B, C, *spatial)``, images and volumes alike, each sample by itself."""

from caked.transforms.background import NormaliseBackground
from caked.transforms.base import Batch, RandomTransform, Transform, register, transform_from_dict
from caked.transforms.blur import GaussianBlur
from caked.transforms.compose import Compose, OneOf, OnKeys, RandomApply, as_transform
from caked.transforms.crop import CentreCrop, RandomCrop
from caked.transforms.ctf import ApplyCTF, PhaseFlip, RandomCTF, WienerFilter
from caked.transforms.erase import RandomCutout, VoxelDropout
from caked.transforms.filters import BandPass, SpectrumMatch, Whiten, radial_amplitudes
from caked.transforms.foreign import Foreign, Torchvision
from caked.transforms.fourier import FourierCrop
from caked.transforms.geometry import RandomFlip, RandomRoll, RandomRot90
from caked.transforms.intensity import AutoInvert, Clip, Invert, MinMax, Standardise
from caked.transforms.moving import Geometric, Motion
from caked.transforms.noise import ColouredNoise, GaussianNoise, PoissonNoise
from caked.transforms.optics import contrast_transfer
from caked.transforms.resize import Resize
from caked.transforms.rotation import RandomOrientation, RandomRotation
from caked.transforms.shells import SphericalMask
from caked.transforms.shift import CentreParticle, RandomShift
from caked.transforms.tilts import DoseWeight, TiltDrop
from caked.transforms.tone import RandomBrightness, RandomContrast, RandomGamma
from caked.transforms.wedge import MissingWedge

__all__ = [
    "ApplyCTF",
    "AutoInvert",
    "BandPass",
    "Batch",
    "CentreCrop",
    "CentreParticle",
    "Clip",
    "ColouredNoise",
    "Compose",
    "DoseWeight",
    "Foreign",
    "FourierCrop",
    "GaussianBlur",
    "GaussianNoise",
    "Geometric",
    "Invert",
    "MinMax",
    "MissingWedge",
    "Motion",
    "NormaliseBackground",
    "OnKeys",
    "OneOf",
    "PhaseFlip",
    "PoissonNoise",
    "RandomApply",
    "RandomBrightness",
    "RandomCTF",
    "RandomContrast",
    "RandomCrop",
    "RandomCutout",
    "RandomFlip",
    "RandomGamma",
    "RandomOrientation",
    "RandomRoll",
    "RandomRot90",
    "RandomRotation",
    "RandomShift",
    "RandomTransform",
    "Resize",
    "SpectrumMatch",
    "SphericalMask",
    "Standardise",
    "TiltDrop",
    "Torchvision",
    "Transform",
    "VoxelDropout",
    "Whiten",
    "WienerFilter",
    "as_transform",
    "contrast_transfer",
    "radial_amplitudes",
    "register",
    "transform_from_dict",
]
