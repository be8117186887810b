"""Draws original pixel monsters by code: the training set of those who have no sprites.

A monster is a body plan of `bestiary`, drawn from back to front in four colour ramps. There
are 792 if nobody asks for more; to see these on one sheet::

    rows = [np.hstack([draw_monster(33 * i + j) for j in range(33)]) for i in range(24)]
    PIL.Image.fromarray(np.vstack(rows)).save("monsters.png")
"""

import math
import re
from typing import NamedTuple

import numpy as np

from utils.sprites import bestiary

NUM_MONSTERS = 792  # if nobody asks for more
MAX_MONSTERS = 999_999  # whose names sort in order
SIZE = 40
SEED = 20240  # another number gives 792 other monsters
GROUND = 30  # the canvas row of the outline under the feet
BOARD, BOARD_GROUND = 64, 52  # monsters are drawn on a roomier board, and centred at the end

# An ink is a ramp and a tone; ink 0 is empty, and the last ones belong to the face.
OUTLINE, SEAM, SHADE, BASE, LIGHT = range(5)
TONES = 5
BODY, BELLY, ACCENT, BONE = range(4)
FACE_INKS = {key: 1 + 4 * TONES + i for i, key in enumerate("KWIBT")}


class _Part(NamedTuple):
    adjectives: tuple[str, ...]
    noun: str
    points: np.ndarray  # (points, 2)
    sizes: np.ndarray  # two radii, or the size of a recipe


def _read(recipe):
    """Read the parts of a recipe, such as "bone far leg -2.2 0 1"."""
    for words, numbers in re.findall(r"([a-z][a-z ]*)([-.\d\s]*)", recipe):
        *adjectives, noun = words.split()
        numbers = np.array(numbers.split(), float)
        corners = len(numbers) - {"ball": 2, "tube": 2}.get(noun, len(numbers) % 2)
        points, sizes = numbers[:corners].reshape(-1, 2), numbers[corners:]
        yield _Part(tuple(adjectives), noun, points, sizes)


STENCILS = {noun: [s.split() for s in row.split(",")] for noun, row in bestiary.STENCILS.items()}
PLANS = [tuple(_read(plan)) for plan in bestiary.PLANS.values()]
PLANS += PLANS[:8]  # the plans with the most parts to vary may come twice as often
RECIPES = {
    name: [tuple(_read(row)) for row in rows.strip().split("\n")]
    for name, rows in bestiary.RECIPES.items()
}


def _bezier(count, steps):
    """Weigh `count` control points at each of `steps` points along a Bezier curve."""
    t, power = np.linspace(0, 1, steps)[:, None], np.arange(count)
    binomial = {1: (1,), 2: (1, 1), 3: (1, 2, 1), 4: (1, 3, 3, 1)}[count]
    return binomial * t**power * (1 - t) ** (count - 1 - power)


CURVES = {count: _bezier(count, steps) for count, steps in ((1, 1), (2, 10), (3, 16), (4, 32))}
TAPERS = {count: np.linspace(1, 0, len(curve))[:, None] for count, curve in CURVES.items()}


class _Sketch:
    """The board on which one monster is drawn, and the choices that its parts share."""

    def __init__(self, rng, index):
        self.rng, self.ink = rng, np.zeros((BOARD, BOARD), np.uint8)
        self.palette, dark = _palette(self, index)
        self.flip, size = self.pick((-1, 1)), self.between(0.86, 1.06)
        self.stretch = size * np.array((self.between(0.92, 1.08), self.between(0.92, 1.08)))
        self.rows = {name: self.pick(rows) for name, rows in RECIPES.items()}
        self.sizes = {name: self.between(0.9, 1.1) for name in RECIPES}
        self.stencils = {noun: self.pick(stencils) for noun, stencils in STENCILS.items()}
        if dark:  # dark pupils would drown
            self.stencils |= dict.fromkeys(("dot", "eye", "stare"), self.stencils["glow"])
        self.tip, trim = self.pick((None, BELLY, ACCENT)), self.pick((BELLY, ACCENT))
        foot = self.pick((BODY, BODY, BELLY, ACCENT))
        self.ramps = dict(belly=BELLY, accent=ACCENT, bone=BONE, trim=trim, foot=foot)

    def between(self, low, high):
        return low + (high - low) * self.rng.random()

    def pick(self, options):
        return options[int(self.rng.random() * len(options))]

    def draw(self, recipe, origin=(0.0, 0.0), size=1.0, side=1, ramp=BODY, far=False):
        """Draw the parts of a recipe around an origin; `side` is -1 for a mirrored one."""
        for adjectives, noun, points, sizes in recipe:
            if noun == "nothing" or ("maybe" in adjectives and self.rng.random() < 0.5):
                continue
            points = points * (side * size, size) + origin
            shade = far or "far" in adjectives or "left" in adjectives
            colour = next((self.ramps[word] for word in adjectives if word in self.ramps), ramp)
            if noun in RECIPES:
                turned = -side if "left" in adjectives else side
                scale = size * sizes[0] * self.sizes[noun]
                self.draw(self.rows[noun], points[0], scale, turned, colour, shade)
                continue
            points = points * self.stretch * (self.flip, -1) + (BOARD / 2 - 0.5, BOARD_GROUND)
            if noun in STENCILS:
                if noun == "eye":
                    noun = "dot" if size < 4.6 else "eye" if size < 5.6 else "stare"
                self._stamp(self.stencils[noun], *points[0])
            elif noun == "poly":
                self._poly(points, adjectives, colour, shade)
            else:
                self._tube(points, sizes * size, adjectives, colour, shade)

    def _tube(self, points, sizes, adjectives, ramp, far):
        """Draw discs along a curve, or an ellipse around a single point."""
        centres, taper = CURVES[len(points)] @ points, TAPERS[len(points)]
        radii = sizes[None] if len(points) == 1 else sizes[:1] * taper + sizes[1:] * (1 - taper)
        radii = np.maximum(radii * self.stretch, 0.55)
        window, cols, rows = _window(centres - radii, centres + radii)
        nx = (cols - centres[:, :1]) / radii[:, :1]
        ny = (rows - centres[:, 1:]) / radii[:, 1:]
        seam = "fused" not in adjectives
        if len(points) == 1:
            nx, ny = nx[0], ny[0][:, None]
        else:
            nearest = ((nx * nx)[:, None, :] + (ny * ny)[:, :, None]).argmin(0)
            nx = nx[nearest, np.arange(len(cols))]
            ny = ny[nearest, np.arange(len(rows))[:, None]]
            if "rooted" in adjectives:
                seam = nearest >= 0.4 * len(centres)
            if "tipped" in adjectives and self.tip is not None:
                ramp = np.where(nearest >= 0.62 * len(centres), self.tip, ramp)
        self._paint(window, nx * nx + ny * ny < 1, nx, ny, ramp, far, "patch" in adjectives, seam)

    def _poly(self, corners, adjectives, ramp, far):
        corners = corners + 1e-4  # no corner may lie level with the centres of pixels
        low, high = corners.min(0), corners.max(0)
        window, cols, rows = _window(low[None], high[None])
        (x0, y0), (x1, y1) = corners.T[:, :, None], np.roll(corners, -1, 0).T[:, :, None]
        crossing = x0 + (rows - y0) * (x1 - x0) / (y1 - y0 + 1e-9)
        right = ((y0 > rows) != (y1 > rows))[:, :, None] & (cols < crossing[:, :, None])
        (mx, my), (rx, ry) = (low + high) / 2, (high - low) / 1.5
        nx, ny = (cols - mx) / rx, (rows[:, None] - my) / ry
        self._paint(window, np.logical_xor.reduce(right), nx, ny, ramp, far, "patch" in adjectives)

    def _paint(self, window, mask, nx, ny, ramp, far, patch, seam=True):
        """Ink a part whose surface faces (nx, ny): its seam on what it covers, then its tones."""
        board = self.ink[window]
        if patch:
            under, tone = np.divmod(board - 1, TONES)
            mask = mask & (under == under[len(under) // 2, under.shape[1] // 2]) & (tone >= SHADE)
        else:
            rim = _grow(mask) & ~mask & (board > 0) & seam
            np.copyto(board, _ink(ramp, SEAM), where=rim, casting="unsafe")
            lit = (nx + 0.35) ** 2 + (ny + 0.45) ** 2  # the light comes from the upper left
            tone = SHADE if far else SHADE + (lit < 1.1) + (lit < 0.2)
        np.copyto(board, _ink(ramp, tone), where=mask, casting="unsafe")

    def _stamp(self, stencil, x, y):
        """Put a stencil around a point, on drawn pixels only."""
        left, top = round(x - len(stencil[0]) / 2 + 0.5), round(y - len(stencil) / 2 + 0.5)
        for i, row in enumerate(stencil, top):
            for j, key in enumerate(row[:: self.flip], left):
                if key != "." and self.ink[i, j]:
                    self.ink[i, j] = FACE_INKS[key]

    def picture(self):
        """Close the outline, centre the monster on the ground line and colour it."""
        ink = self.ink
        owner = (ink + (TONES - 1)) // TONES  # 0 where empty, or else a ramp + 1
        owner[owner > 4] = 1
        owner = _grow(owner)
        ink = np.where((ink == 0) & (owner > 0), _ink(owner - 1, OUTLINE), ink)
        rows, cols = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
        top, left = rows[-1] - max(GROUND, rows[-1] - rows[0]), (cols[0] + cols[-1] + 1 - SIZE) // 2
        return self.palette[ink[top : top + SIZE, left : left + SIZE]]


def _ink(ramp, tone):
    return 1 + ramp * TONES + tone


def _window(low, high):
    """Cut out the part of the board between two corners: its slices, columns and rows."""
    left, top = low.min(0).astype(int) - 2
    right, bottom = high.max(0).astype(int) + 4
    return np.s_[top:bottom, left:right], np.arange(left, right), np.arange(top, bottom)


def _grow(area):
    """Let every pixel take the highest value among itself and its four neighbours."""
    grown = area.copy()
    np.maximum(grown[1:], area[:-1], out=grown[1:])
    np.maximum(grown[:-1], area[1:], out=grown[:-1])
    np.maximum(grown[:, 1:], area[:, :-1], out=grown[:, 1:])
    np.maximum(grown[:, :-1], area[:, 1:], out=grown[:, :-1])
    return grown


OKLAB_TO_LMS = np.array(((1, 1, 1), (0.39634, -0.10556, -0.08948), (0.21580, -0.06385, -1.29149)))
LMS_TO_RGB = np.array(
    ((4.07674, -1.26844, -0.00420), (-3.30771, 2.60976, -0.70342), (0.23097, -0.34132, 1.70761))
)


def _oklch(light, chroma, hue):
    """Turn OKLCH colours (hue in degrees) into sRGB bytes."""
    a, b = chroma * np.cos(np.radians(hue)), chroma * np.sin(np.radians(hue))
    rgb = (np.stack((light, a, b), -1) @ OKLAB_TO_LMS) ** 3 @ LMS_TO_RGB
    return np.rint(255 * rgb.clip(0, 1) ** (1 / 2.2)).astype(np.uint8)


def _ramp(light, chroma, hue):
    """Give five tones of a colour: shadows turn towards violet, lights towards yellow."""
    cold, warm = ((goal - hue + 180) % 360 - 180 for goal in (290, 100))
    cold, warm = max(-25, min(25, cold)), max(-12, min(12, warm))
    return (
        (0.27, 0.35 * chroma, hue + cold),
        (0.42 * light + 0.1, 0.75 * chroma, hue + cold),
        (light - 0.14, 0.95 * chroma, hue + cold / 2),
        (light, chroma, hue),
        (min(light + 0.1, 0.985), 0.75 * chroma, hue + warm),
    )


def _vivid(hue):
    """Give the lightness at which a hue is at its best: yellow is bright, blue and violet dark."""
    return 0.72 + 0.11 * math.cos(math.radians(hue - 105))


def _palette(s, index):
    """Pick colours that go together (row 0 is transparent), and tell whether the body is dark."""
    turn = index * 0.618034 % 1  # the golden ratio: any run of monsters spreads over the circle
    hue = np.interp(turn, (0, 0.36, 0.54, 0.78, 1), (15, 112, 160, 262, 375))  # warm ones prevail
    moods = {
        "vivid": (_vivid(hue) + s.between(-0.05, 0.05), s.between(0.11, 0.165), hue),
        "pale": (0.9, s.between(0.03, 0.06), hue),
        "dark": (s.between(0.42, 0.5), s.between(0.05, 0.1), hue),
        "grey": (s.between(0.55, 0.75), 0.02, hue),
        "brown": (s.between(0.55, 0.7), 0.085, s.between(45, 80)),
    }
    mood = s.pick(["vivid"] * 13 + ["pale", "pale", "dark", "dark", "grey", "brown", "brown"])
    other = hue + s.pick((180, 150, 210, 120, -120, 55, -55))
    belly = s.pick(((0.93, 0.045, 85), (0.91, 0.05, hue), (0.88, 0.08, other), (0.95, 0.02, hue)))
    belly = (_vivid(other), 0.1, other) if mood == "pale" else belly
    accent = (_vivid(other) - 0.02, s.between(0.13, 0.18), other)
    bone = s.pick(((0.93, 0.03, 90), (0.86, 0.12, 92), (0.78, 0.02, 260)))
    iris = s.pick((other, other, 25, 250))
    tones = [tone for colour in (moods[mood], belly, accent, bone) for tone in _ramp(*colour)]
    tones += [(0.22, 0.02, 280), (0.99, 0, 0), (0.62, 0.17, iris)]
    tones += [(0.72, 0.15, 15), (0.66, 0.16, 20)]
    palette = np.full((1 + len(tones), 4), 255, np.uint8)
    palette[0] = 0
    palette[1:, :3] = _oklch(*np.array(tones).T)
    return palette, mood == "dark"


def draw_monster(index: int) -> np.ndarray:
    """Draw a monster, which depends on its index alone: RGBA, (40, 40, 4), alpha 0 or 255."""
    _check(index)
    sketch = _Sketch(np.random.default_rng((SEED, index)), index)
    sketch.draw(sketch.pick(PLANS))
    return sketch.picture()


def monster_name(index: int) -> str:
    """Return the file name of a monster, which counts from 1: ``"001MON.png"``.

    From 1,000 on ``"MON001000.png"``, so that names sort in the order of numbers.
    """
    _check(index)
    number = index + 1
    return f"{number:03d}MON.png" if number < 1000 else f"MON{number:06d}.png"


def _check(index):
    """Raise ValueError if there is no monster of that index."""
    if not 0 <= index < MAX_MONSTERS:
        raise ValueError(f"a monster's index is between 0 and {MAX_MONSTERS - 1}, not {index}")
