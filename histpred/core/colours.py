"""Shades of a colour in OKLCH, where equal steps look equal.

See https://bottosson.github.io/posts/oklab/.
"""

from __future__ import annotations

from math import atan2, cbrt, cos, hypot, radians, sin

Colour = tuple[int, int, int]
"""Red, green and blue of sRGB, 0 to 255."""

Three = tuple[float, float, float]

TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
FROM_LAB = (
    (1, 0.3963377774, 0.2158037573),
    (1, -0.1055613458, -0.0638541728),
    (1, -0.0894841775, -1.2914855480),
)
FROM_CONES = (
    (4.0767416621, -3.3077115913, 0.2309699292),
    (-1.2684380046, 2.6097574011, -0.3413193965),
    (-0.0041960863, -0.7034186147, 1.7076147010),
)
PALER = 0.99  # x the chroma, until a colour can be shown


def shade(colour: Colour, lightness: float, turn: float = 0.0) -> Colour:
    """A colour with another lightness, 0 (black) to 1 (white), and its hue turned by degrees.

    Its chroma is that of `colour`, or the highest that sRGB can show.

    >>> shade((224, 49, 56), 0.36), shade((224, 49, 56), 0.66)
    ((119, 1, 16), (248, 75, 76))
    """
    _, a, b = oklab(colour)
    chroma, hue = hypot(a, b), atan2(b, a) + radians(turn)
    while True:
        levels = _levels((lightness, chroma * cos(hue), chroma * sin(hue)))
        if all(-1e-4 <= level <= 1 + 1e-4 for level in levels):
            red, green, blue = (round(255 * _encoded(min(max(each, 0), 1))) for each in levels)
            return red, green, blue
        chroma *= PALER


def oklab(colour: Colour) -> Three:
    """Lightness (0 to 1) and the axes green-red and blue-yellow of a colour in OKLab.

    >>> [round(each, 2) for each in oklab((255, 0, 0))]
    [0.63, 0.22, 0.13]
    """
    red, green, blue = (_decoded(level / 255) for level in colour)
    first, second, third = _times(TO_CONES, (red, green, blue))
    return _times(TO_LAB, (cbrt(first), cbrt(second), cbrt(third)))


def _levels(lab: Three) -> Three:
    """Red, green and blue, linear; outside 0 to 1 for a colour that sRGB lacks."""
    first, second, third = _times(FROM_LAB, lab)
    return _times(FROM_CONES, (first**3, second**3, third**3))


def _times(matrix: tuple[Three, ...], values: Three) -> Three:
    first, second, third = (
        sum(factor * value for factor, value in zip(row, values, strict=True)) for row in matrix
    )
    return first, second, third


def _decoded(level: float) -> float:
    return level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4


def _encoded(level: float) -> float:
    return 12.92 * level if level <= 0.0031308 else 1.055 * level ** (1 / 2.4) - 0.055
