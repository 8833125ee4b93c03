"""A camera: where it hangs, the light before it, and what it does to colours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reidpipe.synthetic.solids import Floats

_GREY = np.array([0.3, 0.59, 0.11])


@dataclass(frozen=True)
class Camera:
    """One viewpoint. Angles are radians; the light's direction is in the camera frame."""

    pitch: float
    """How steeply it looks down."""
    heading: float
    """Yaw of people who walk one way; others walk the other way."""
    light: tuple[float, float, float]
    ambient: float
    """Share of the light that has no direction."""
    gain: tuple[float, float, float]
    exposure: float
    gamma: float
    saturation: float
    haze: float
    """Grey that is added to all pixels: bad lenses, mist, light in the lens."""
    blur: float
    """Weight of the four neighbours."""
    noise: float


def hung(rng: np.random.Generator) -> Camera:
    """Draw a camera."""
    azimuth, elevation = rng.uniform(-2.4, 2.4), rng.uniform(0.5, 1.2)
    flat = np.cos(elevation)
    light = (flat * np.sin(azimuth), np.sin(elevation), flat * np.cos(azimuth))
    warm, tint = rng.normal(0, 0.17), rng.normal(0, 0.08)
    return Camera(
        pitch=float(rng.uniform(0.05, 0.38)),
        heading=float(rng.uniform(-np.pi, np.pi)),
        light=(float(light[0]), float(light[1]), float(light[2])),
        ambient=float(rng.uniform(0.35, 0.7)),
        gain=(float(np.exp(warm)), float(np.exp(tint)), float(np.exp(-warm))),
        exposure=float(np.exp(rng.normal(0.15, 0.22))),
        gamma=float(rng.uniform(1.7, 2.6)),
        saturation=float(rng.uniform(0.55, 1.15)),
        haze=float(rng.uniform(0, 0.1)),
        blur=float(rng.uniform(0, 0.3)),
        noise=float(rng.uniform(0.005, 0.02)),
    )


def lit(camera: Camera, normal: Floats, brightness: float) -> Floats:
    """Light N that falls on surfaces with unit `normal` N x 3 (Lambert, and a brighter sky)."""
    sun = np.clip((normal * camera.light).sum(axis=1), 0, None)
    sky = camera.ambient * (0.75 + 0.25 * normal[:, 1])
    return np.asarray(brightness * (sky + (1.3 - camera.ambient) * sun))


def developed(camera: Camera, light: Floats, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Photograph H x W x 3 of linear `light`, with this camera's colours, blur and noise."""
    image = _blurred(light, camera.blur) * np.array(camera.gain) * camera.exposure
    # A soft shoulder instead of clipping: bright shirts keep their folds.
    image = 1.25 * image / (1 + 0.6 * image)
    image = np.power(np.clip(image, 0, None), 1 / camera.gamma)
    grey = (image * _GREY).sum(axis=2, keepdims=True)
    image = grey + camera.saturation * (image - grey)
    image = camera.haze + (1 - camera.haze) * image
    image += rng.normal(0, camera.noise, image.shape)
    return np.asarray(np.rint(np.clip(image, 0, 1) * 255), dtype=np.uint8)


def _blurred(image: Floats, weight: float) -> Floats:
    """Mix each pixel with its four neighbours."""
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    return (1 - weight) * image + weight / 4 * around
