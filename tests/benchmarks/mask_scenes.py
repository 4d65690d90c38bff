"""Product photos whose true mask is known: cut-outs laid on studio grounds, in rooms and over photos.

Training, calibration and measurement draw from here, each from its own cut-outs and its own photos. A network that is
shown such pictures would rather learn what a pasted edge looks like than what a product is, so grounds and cut-outs are
blurred independently, and then everything together goes through a camera: light, blur, noise, JPEG.
"""

import re
from pathlib import Path

import cv2
import numpy as np

SPLITS = ("train", "calibration", "test")


def render_names(split):
    """The shipped renders of a split, three fifths to train on; versions of one model (chair, chair2) stay together."""
    from stylelab import datasets

    of, _ = datasets.products._table()
    families = sorted({(category, _family(name)) for name, category in of.items()})
    part = {family: {2: "calibration", 4: "test"}.get(k % 5, "train") for k, family in enumerate(families)}
    return sorted(name for name, category in of.items() if part[category, _family(name)] == split)


def _family(name):
    return re.sub(r"\d+$|_final|Swap|_swap", "", name).lower()


def renders(split):
    """The renders of a split as cut-outs."""
    from stylelab import images, samples

    pictures = [images.open_picture(samples.path(f"product_renders/{name}")) for name in render_names(split)]
    return [trimmed(images.to_uint8(np.concatenate([p.rgb, p.alpha], -1))) for p in pictures]


def cutouts(files):
    """Picture files with transparency as cut-outs."""
    from stylelab import images

    pictures = [images.open_picture(file) for file in files]
    return [trimmed(images.to_uint8(np.concatenate([p.rgb, p.alpha], -1))) for p in pictures if p.alpha is not None]


def trimmed(rgba):
    """Cut to what is not transparent; transparent pixels take their neighbors' colors, so that edges stay clean."""
    rows, columns = np.where(rgba[..., 3] > 127)
    rgba = rgba[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].copy()
    gone = (rgba[..., 3] < 128).astype(np.uint8)
    if gone.any():
        rgba[..., :3] = cv2.inpaint(np.ascontiguousarray(rgba[..., :3]), gone, 2, cv2.INPAINT_TELEA)
    return rgba


def parts(files):
    """Files in three: seven of ten to train on, one to calibrate with, two to measure on."""
    names = {7: "calibration", 8: "test", 9: "test"}
    return {split: [f for k, f in enumerate(files) if names.get(k % 10, "train") == split] for split in SPLITS}


def scene(rng, objects, photos, height, width):
    """One photo of any kind and its true mask, to train and to calibrate with.

    Args:
        rng: a NumPy generator; the same state gives the same scene.
        objects: cut-outs, uint8 ``[h, w, 4]``.
        photos: files of photos or textures for grounds.
        height, width: of the scene in pixels.
    Returns:
        uint8 ``[height, width, 3]`` and bool ``[height, width]``.
    """

    def draw():
        cutout = _shape(rng, photos) if rng.random() < 0.14 else _one(rng, objects)
        return _varied(rng, cutout, photos)

    return _photographed(rng, _ground(rng, photos, height, width), draw, objects)


def over_photo(rng, objects, photos, height, width):
    """One cut-out as it is over a real photo, to measure with; arguments and results as for :func:`scene`."""
    ground = _photo(rng, photos, height, width)
    if rng.random() < 0.5:
        ground = cv2.GaussianBlur(ground, (0, 0), rng.uniform(0.5, 0.02 * height))
    return _photographed(rng, ground, lambda: _one(rng, objects), [])


def _photographed(rng, ground, draw, bystanders):
    height, width = ground.shape[:2]
    if bystanders and rng.random() < 0.25:
        ground = _bystander(rng, bystanders, ground)
    alpha = np.zeros((height, width), np.float32)
    product = ground.copy()
    for _ in range(1 if not bystanders or rng.random() < 0.9 else 2):
        color, mask = _placed(rng, draw(), height, width, alpha.any())
        product = _over(product, color, mask)
        alpha = np.maximum(alpha, mask)
    if bystanders and rng.random() < 0.12:
        product, alpha = _cord(rng, product, alpha)
    ground = _shadowed(rng, ground, product, alpha)
    # The product's edge is as sharp as the product, not as the ground.
    picture = _over(ground, product, alpha)
    return _camera(rng, picture), alpha > 0.5


def _over(below, above, alpha):
    return below + (above - below) * alpha[..., None]


def _color(rng):
    """White and light gray half of the time, as in shops."""
    kind = rng.random()
    if kind < 0.5:
        return np.clip(rng.uniform(0.7, 1) + rng.normal(0, 0.012, 3), 0, 1).astype(np.float32)
    if kind < 0.6:
        return np.clip(rng.uniform(0.02, 0.7) + rng.normal(0, 0.02, 3), 0, 1).astype(np.float32)
    hsv = np.float32([[[rng.uniform(0, 360), rng.uniform(0.1, 0.9), rng.uniform(0.15, 1)]]])
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]


def _photo(rng, photos, height, width, least=0.4):
    """A random crop of a photo, at least this share of its sides, mirrored or not."""
    from stylelab import images

    file = photos[rng.integers(len(photos))]
    read = cv2.imread(str(file), cv2.IMREAD_COLOR)
    rgb = read[..., ::-1] if read is not None else images.to_uint8(images.read(file))
    share = rng.uniform(least, 1)
    scale = share * min(rgb.shape[0] / height, rgb.shape[1] / width)
    h, w = max(4, int(scale * height)), max(4, int(scale * width))
    top, left = rng.integers(rgb.shape[0] - h + 1), rng.integers(rgb.shape[1] - w + 1)
    cut = rgb[top : top + h, left : left + w]
    cut = cut[:, ::-1] if rng.random() < 0.5 else cut
    filter_ = cv2.INTER_AREA if h > height else cv2.INTER_CUBIC
    cut = cv2.resize(np.ascontiguousarray(cut), (width, height), interpolation=filter_)
    return cut.astype(np.float32) / 255


def _plain(rng, height, width):
    """One color with a slope and a pool of light."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    slope = rng.normal(0, 0.08, 2)
    at = rng.uniform(-1, 1, 2)
    pool = rng.choice((0, 0, 0.15, 0.35)) * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / rng.uniform(0.5, 3))
    light = 1 + slope[0] * x + slope[1] * y + pool - 0.5 * pool.max()
    return np.clip(_color(rng) * light[..., None], 0, 1).astype(np.float32)


def _ground(rng, photos, height, width):
    kind = rng.random()
    if kind < 0.38:
        return _plain(rng, height, width)
    if kind < 0.56:  # a wall and a floor, the floor often of a material
        wall, floor = _plain(rng, height, width), _plain(rng, height, width)
        if rng.random() < 0.5:
            floor = 0.35 * floor + 0.65 * _photo(rng, photos, height, width, 0.2)
        edge = height * rng.uniform(0.5, 0.92) + rng.normal(0, 0.05) * (np.arange(width) - width / 2)
        soft = height * rng.choice((0.004, 0.02, 0.1))
        t = 1 / (1 + np.exp(-np.clip((np.arange(height)[:, None] - edge) / soft, -30, 30)))
        return _over(wall, floor, t.astype(np.float32))
    photo = _photo(rng, photos, height, width, 0.25)
    if rng.random() < 0.45:
        photo = cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.5, 0.025 * height))
    if rng.random() < 0.35:  # pale, as behind a curtain
        photo = _over(photo, np.broadcast_to(_color(rng), photo.shape), np.float32([[rng.uniform(0.2, 0.8)]]))
    return photo


def _one(rng, objects):
    return objects[rng.integers(len(objects))].astype(np.float32) / 255


def _varied(rng, rgba, photos):
    """A cut-out in another light, color or material."""
    rgba = rgba[:, ::-1] if rng.random() < 0.5 else rgba
    color, alpha = np.ascontiguousarray(rgba[..., :3]), rgba[..., 3]
    if rng.random() < 0.5:
        hsv = cv2.cvtColor(color, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0] + rng.normal(0, 40)) % 360
        hsv[..., 1] *= rng.uniform(0.2, 1.4)
        color = cv2.cvtColor(np.clip(hsv, 0, (360, 1, 1)).astype(np.float32), cv2.COLOR_HSV2RGB)
    color = np.clip(color, 0, 1) ** rng.uniform(0.6, 1.7)
    if rng.random() < 0.3:  # a material: renders have less grain than photos
        photo = _photo(rng, photos, *color.shape[:2], 0.2)
        gray = photo.mean(-1, keepdims=True)
        color = color * (1 + rng.uniform(0.2, 0.9) * (gray - gray.mean()))
    return np.dstack([np.clip(color, 0, 1), alpha]).astype(np.float32)


def _shape(rng, photos):
    """A smooth random outline, filled with a part of a photo and shaded."""
    side = 160
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    angle, radius = np.arctan2(y, x), np.hypot(x, y)
    outline = 0.7 + sum(rng.normal(0, 0.16 / k) * np.cos(k * angle + rng.uniform(0, 7)) for k in range(1, 7))
    if rng.random() < 0.3:  # a box
        outline = 0.8 / np.maximum(np.abs(np.cos(angle)), np.abs(np.sin(angle)) * rng.uniform(0.5, 2))
    alpha = (radius < np.clip(outline, 0.25, 0.99)).astype(np.float32)
    if rng.random() < 0.25:
        alpha *= radius > rng.uniform(0.15, 0.4)  # a ring
    color = _photo(rng, photos, side, side, 0.1) if rng.random() < 0.6 else _plain(rng, side, side)
    shade = 1 + rng.uniform(-0.4, 0.4) * x + rng.uniform(-0.4, 0.4) * y
    rows, columns = np.where(alpha > 0)
    rgba = np.dstack([np.clip(color * shade[..., None], 0, 1), alpha]).astype(np.float32)
    return rgba[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def _placed(rng, rgba, height, width, second):
    """Color and alpha in the frame: turned a little, of any size, in the middle more often than at the edge."""
    h, w = rgba.shape[:2]
    share = rng.uniform(0.2, 0.6) if second else rng.uniform(0.28, 0.97)
    scale = share * min(height / h, width / w)
    turn = rng.normal(0, 8) if rng.random() < 0.7 else rng.uniform(-180, 180)
    matrix = cv2.getRotationMatrix2D((w / 2, h / 2), turn, scale)
    room = np.array([max(0.0, width - scale * w), max(0.0, height - scale * h)]) / 2
    spread = 1.25 if rng.random() < 0.1 else 0.9  # over 1: cut off by the frame
    center = np.array([width, height]) / 2 + room * np.clip(rng.normal(0, 0.5, 2), -1, 1) * spread
    if spread > 1:
        center += rng.choice((-1, 1), 2) * scale * np.array([w, h]) * rng.uniform(0, 0.15, 2)
    matrix[:, 2] += center - np.array([w / 2, h / 2])

    if scale < 0.7:  # antialias: warpAffine does not
        rgba = cv2.GaussianBlur(rgba, (0, 0), 0.45 / scale)
    warped = cv2.warpAffine(rgba, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)
    color = cv2.warpAffine(
        np.ascontiguousarray(rgba[..., :3]),
        matrix,
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    alpha = np.clip(warped[..., 3], 0, 1)
    if scale > 1.3:  # an enlarged edge is a ramp: as steep as a photo's
        alpha = np.clip((alpha - 0.5) * rng.uniform(0.5, 1) * scale + 0.5, 0, 1)
    return np.clip(color, 0, 1), alpha


def _bystander(rng, objects, ground):
    """Something in the room that is not for sale: small or cut off by the frame."""
    height, width = ground.shape[:2]
    for _ in range(rng.integers(1, 3)):
        rgba = objects[rng.integers(len(objects))].astype(np.float32) / 255
        scale = rng.uniform(0.15, 0.5) * min(height, width) / max(rgba.shape[:2])
        h, w = (max(3, round(side * scale)) for side in rgba.shape[:2])
        rgba = cv2.resize(rgba, (w, h), interpolation=cv2.INTER_AREA)
        matrix = np.float32([[1, 0, 0], [0, 1, rng.uniform(-0.3, 0.9) * height]])
        matrix[0, 2] = rng.choice((-w * rng.uniform(0.3, 0.8), width - w * rng.uniform(0.2, 0.7)))
        warped = cv2.warpAffine(rgba, matrix, (width, height))
        ground = _over(ground, warped[..., :3], np.clip(warped[..., 3], 0, 1))
    return ground


def _cord(rng, product, alpha):
    """A lace, a cable or a handle that hangs out of the product."""
    rows, columns = np.where(alpha > 0.5)
    if not len(rows):
        return product, alpha
    k = rng.integers(len(rows))
    start, extent = np.array([columns[k], rows[k]], float), max(alpha.shape)
    points = [start + t * rng.normal(0, 0.3 * extent, 2) for t in (0, 0.4, 0.8, 1.1)]
    t = np.linspace(0, 1, 60)[:, None]
    curve = sum(c * (1 - t) ** (3 - k) * t**k * p for k, (c, p) in enumerate(zip((1, 3, 3, 1), points, strict=True)))
    line = np.zeros(alpha.shape, np.uint8)
    thick = max(1, round(extent * rng.uniform(0.004, 0.025)))
    cv2.polylines(line, [np.round(curve * 16).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 4)
    line = line.astype(np.float32) / 255
    return _over(product, np.broadcast_to(_color(rng), product.shape), line), np.maximum(alpha, line)


def _shadowed(rng, ground, product, alpha):
    """The ground with a soft contact shadow, a cast one, a reflection, or none of them."""
    height, width = alpha.shape
    kind = rng.random()
    rows = np.where((alpha > 0.5).any(1))[0]
    if kind < 0.25 or not len(rows):
        return ground
    if kind < 0.85:
        foot, flat = rows.max(), rng.uniform(0.06, 0.5)
        lean = rng.uniform(-0.8, 0.8)
        if rng.random() < 0.5:  # on a floor: the shape laid flat from its foot
            matrix = np.float32([[1, lean * flat, -lean * flat * foot], [0, flat, foot * (1 - flat)]])
        else:  # on a wall behind or seen from above
            matrix = np.float32([[1, 0, rng.normal(0, 0.03) * width], [0, 1, rng.uniform(0, 0.04) * height]])
        shadow = cv2.warpAffine(alpha, matrix, (width, height))
        shadow = cv2.GaussianBlur(shadow, (0, 0), height * rng.choice((0.004, 0.015, 0.03, 0.05)))
        return ground * (1 - rng.uniform(0.15, 0.75) * shadow[..., None])
    matrix = np.float32([[1, 0, 0], [0, -1, 2 * rows.max()]])
    mirrored = cv2.warpAffine(product, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
    fade = np.clip(1 - (np.arange(height) - rows.max()) / (0.3 * height), 0, 1)[:, None]
    glass = cv2.warpAffine(alpha, matrix, (width, height)) * fade * rng.uniform(0.1, 0.4)
    return _over(ground, mirrored, cv2.GaussianBlur(glass.astype(np.float32), (0, 0), 0.008 * height))


def _camera(rng, picture):
    """Light, blur, noise, a lower resolution, JPEG."""
    height, width = picture.shape[:2]
    picture = np.clip(picture * rng.uniform(0.75, 1.15) + rng.normal(0, 0.02), 0, 1) ** rng.uniform(0.8, 1.25)
    picture = picture * np.clip(1 + rng.normal(0, 0.03, 3), 0.9, 1.1)
    if rng.random() < 0.4:
        share = rng.uniform(0.4, 1)
        small = cv2.resize(picture, (round(width * share), round(height * share)), interpolation=cv2.INTER_AREA)
        picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.5:
        grain = rng.normal(0, rng.uniform(0.003, 0.03), (height, width, 1 if rng.random() < 0.5 else 3))
        picture = picture + grain
    levels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.6:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(50, 96))]
        levels = cv2.imdecode(cv2.imencode(".jpg", np.ascontiguousarray(levels), quality)[1], cv2.IMREAD_COLOR)
    return levels


def fluent(folder):
    """One picture file of each emoji: skin colors and the like are left out, and flags and plain signs with them."""
    chosen = {}
    for file in sorted(Path(folder).rglob("*.webp")):
        first = file.stem.split("-")[0]
        if not first.startswith(("00", "1f1")):
            chosen.setdefault(first, file)
    return list(chosen.values())
