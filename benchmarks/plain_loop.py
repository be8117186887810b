"""The training loop that people write first, which the benchmarks compare with.

It decodes a PNG each time that it is asked for, collects batches with a DataLoader, steps with
Adam as it comes, in fp32, and reads the loss from the device in every step.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import to_tensor

from model import VAE, vae_loss
from utils.data_utils import Sprites


class SpriteFolder(Dataset):
    """PNGs of a folder, decoded on demand and put on white."""

    def __init__(self, paths: list[Path]):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        image = Image.open(self.paths[index]).convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return to_tensor(Image.alpha_composite(white, image).convert("RGB"))


def plain_epochs(
    model: VAE, paths: list[Path], device: torch.device, *, batch_size: int = 256, lr: float = 5e-4
) -> Iterator[float]:
    """Train without end, and yield the mean loss of each epoch."""
    loader = DataLoader(SpriteFolder(paths), batch_size, shuffle=True, drop_last=True)
    optimizer = torch.optim.Adam(model.parameters(), lr)
    while True:
        total = 0.0
        for batch in loader:
            x = batch.to(device)
            recon, mu, logvar = model(x)
            loss, _, _ = vae_loss(recon, x, mu, logvar)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        yield total / len(loader)


def png_files(sprites: Sprites, folder: Path) -> list[Path]:
    """Return the PNGs that sprites come from; what is no folder is written to `folder`."""
    source = Path(sprites.source)
    if source.is_dir():
        return [source / name for name in sprites.names]
    paths = [folder / f"{index}.png" for index in range(len(sprites.names))]
    for path, pixels in zip(paths, sprites.pixels, strict=True):
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
    return paths
