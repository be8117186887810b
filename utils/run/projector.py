"""The means of all sprites with their pictures, for TensorBoard's projector.

These are the files of `SummaryWriter.add_embedding(..., label_img=...)`, which would write them in
place and add to the configuration of an earlier run; here they are whole or not there.
"""

import io
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from model import VAE
from utils.data_utils import DIGEST_BYTES, digest_of, to_float
from utils.files import write_whole
from utils.training.engine import Parts

MOST = 5000  # sprites: beyond that the projector is slow, and its picture larger than it takes
CONFIG = """embeddings {{
  tensor_name: "means of the sprites"
  tensor_path: "projector_means.tsv"
  metadata_path: "projector_names.tsv"
  sprite {{
    image_path: "projector_sprites.png"
    single_image_dim: {side}
    single_image_dim: {side}
  }}
}}
"""


@torch.no_grad()
def save_projector(
    folder: Path, model: VAE, sprites: Parts, prints: dict[str, str | Tensor]
) -> None:
    """Write the latent means, names and pictures of a run's sprites.

    Parameters
    ----------
    folder : Path
        Of the run.
    model : VAE
    sprites : Parts
    prints : dict
        The `fingerprints` of the sprites, by which their names are found.
    """
    train = sprites.train[:MOST].cpu()
    val = sprites.val[: MOST - len(train)].cpu()
    names_of = {digest_of(sprite): [] for sprite in torch.cat([train, val]).numpy()}
    names = prints["names"].split("\0")
    digests = prints["digests"].view(-1, DIGEST_BYTES).numpy()
    for name, digest in zip(names, digests, strict=True):
        if digest.tobytes() in names_of:  # equal sprites have one digest
            names_of[digest.tobytes()].append(name)
    means, lines, pictures = [], ["name\tpart"], []
    for part, shown in (("training", train), ("held out", val)):
        for sprite in shown.numpy():
            own_names = names_of[digest_of(sprite)]
            name = own_names.pop(0) if own_names else "?"
            # In a table a tab or a line end would begin another cell.
            lines.append(f"{' '.join(name.split())}\t{part}")
        if len(shown):
            device = next(model.parameters()).device
            means.append(model.encode(to_float(shown.to(device)))[0].cpu())
        pictures.extend(shown.permute(0, 2, 3, 1).numpy())
    rows = ("\t".join(f"{value:.6g}" for value in row) for row in torch.cat(means).tolist())
    write_whole(folder / "projector_means.tsv", "\n".join(rows).encode())
    write_whole(folder / "projector_names.tsv", "\n".join(lines).encode(errors="backslashreplace"))
    buffer = io.BytesIO()
    Image.fromarray(square_sheet(np.stack(pictures))).save(buffer, format="PNG")
    write_whole(folder / "projector_sprites.png", buffer.getvalue())
    side = pictures[0].shape[0]
    write_whole(folder / "projector_config.pbtxt", CONFIG.format(side=side).encode())


def square_sheet(pictures: np.ndarray) -> np.ndarray:
    """Return pictures (N, S, S, 3) line by line in a square, white where there is none."""
    count, side = pictures.shape[:2]
    columns = math.ceil(math.sqrt(count))
    cells = np.full((columns, columns, side, side, 3), 255, np.uint8)
    cells.reshape(-1, side, side, 3)[:count] = pictures
    return cells.swapaxes(1, 2).reshape(columns * side, columns * side, 3)
