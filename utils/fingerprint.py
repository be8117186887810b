"""By what a run knows its sprites: their names, and a digest of each."""

import hashlib

import torch
from torch import Tensor

from utils.data_utils import Sprites

DIGEST_BYTES = 8  # of a sprite: enough to tell a change from none
NAMES_SHOWN = 5  # of changed sprites in a message


def fingerprints(sprites: Sprites) -> dict[str, str | Tensor]:
    """Return the names and a digest of the pixels of each sprite, by which a run knows its own.

    Returns
    -------
    dict
        ``names``, joined by NUL characters, and ``digests``, uint8 (N, 8): two things that are
        quick to write, also for a million sprites.
    """
    digests = [
        hashlib.blake2b(pixels, digest_size=DIGEST_BYTES).digest()
        for pixels in sprites.pixels.numpy()
    ]
    return {
        "names": "\0".join(sprites.names),
        "digests": torch.frombuffer(bytearray(b"".join(digests)), dtype=torch.uint8),
    }


def fingerprint(prints: dict[str, str | Tensor]) -> str:
    """Return one digest of the `fingerprints` of a set."""
    digest = hashlib.sha256(prints["names"].encode())
    digest.update(prints["digests"].numpy().tobytes())
    return digest.hexdigest()


def check_sprites(known: dict[str, str | Tensor], now: dict[str, str | Tensor]) -> None:
    """Compare the `fingerprints` of two sets.

    Raises
    ------
    ValueError
        If they differ, with the names that do.
    """
    if fingerprint(known) == fingerprint(now):
        return
    known, now = (
        dict(
            zip(
                prints["names"].split("\0"),
                prints["digests"].view(-1, DIGEST_BYTES).tolist(),
                strict=True,
            )
        )
        for prints in (known, now)
    )
    problems = [
        f"{what}: {', '.join(names[:NAMES_SHOWN])}{', ...' if len(names) > NAMES_SHOWN else ''}"
        for what, names in (
            ("missing", [name for name in known if name not in now]),
            ("new", [name for name in now if name not in known]),
            ("changed", [name for name in known if now.get(name, known[name]) != known[name]]),
        )
        if names
    ]
    raise ValueError(
        f"the sprites are not those that the run trained on ({'; '.join(problems)}); "
        "put them back, or start a new run"
    )
