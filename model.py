"""The variational autoencoder: two multilayer perceptrons, their start, and their loss.

    model = VAE(input_size=40, hidden_size=1024, latent_size=16)
    initialize_from_data(model, sprites)
    recon, mu, logvar = model(x)
    loss, recon_error, kl = vae_loss(recon, x, mu, logvar)

Kingma and Welling, "Auto-Encoding Variational Bayes" (2014), https://arxiv.org/abs/1312.6114.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import huber_loss

OUTPUT_GAIN = 0.3  # of the two output layers: mu, logvar and the logits start small
MEAN_SPRITE_RANGE = (0.02, 0.98)  # keeps the logit of an always white pixel finite
LEAST_DEVIATION = 1 / 255  # a grey level: sprites that deviate less are as good as equal


class VAE(nn.Module):
    """A VAE for square RGB sprites, with a fully connected encoder and decoder.

    The keys of the state dict are ``encoder.{1,3,5,7,9}`` and ``decoder.{0,2,4,6}``, each with
    ``.weight`` and ``.bias``.

    Parameters
    ----------
    input_size : int
        Side of a sprite in pixels.
    hidden_size : int
        Width of each hidden layer.
    latent_size : int
        Number of latent dimensions.
    """

    def __init__(self, input_size: int = 40, hidden_size: int = 1024, latent_size: int = 16):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.latent_size = latent_size
        num_values = 3 * input_size * input_size  # 4800 for a 40x40 sprite
        self.encoder = nn.Sequential(
            nn.Flatten(),
            nn.Linear(num_values, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, 2 * latent_size),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent_size, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, hidden_size),
            nn.ReLU(),
            nn.Linear(hidden_size, num_values),
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and the log variance of q(z | x).

        Parameters
        ----------
        x : Tensor, shape (B, 3, input_size, input_size), float, in [0, 1]

        Returns
        -------
        mu, logvar : Tensor, shape (B, latent_size)
        """
        mu, logvar = self.encoder(x).to(x.dtype).chunk(2, dim=1)
        return mu, logvar

    def reparameterize(self, mu: Tensor, logvar: Tensor, eps: Tensor) -> Tensor:
        """Return z = mu + sigma * eps, a draw from q(z | x) that gradients flow through.

        Parameters
        ----------
        mu, logvar : Tensor, shape (B, latent_size)
        eps : Tensor, shape (B, latent_size)
            Noise from N(0, I).

        Returns
        -------
        z : Tensor, shape (B, latent_size)
        """
        return mu + torch.exp(0.5 * logvar) * eps

    def decode(self, z: Tensor) -> Tensor:
        """Return the mean of p(x | z).

        Parameters
        ----------
        z : Tensor, shape (B, latent_size)

        Returns
        -------
        recon : Tensor, shape (B, 3, input_size, input_size), in [0, 1]
        """
        # Under bf16 autocast the logits are bf16, whose sigmoid would be 1 from 0.998 on.
        recon = torch.sigmoid(self.decoder(z).to(z.dtype))
        return recon.view(-1, 3, self.input_size, self.input_size)

    def forward(
        self,
        x: Tensor,
        eps: Tensor | None = None,
        posterior: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Encode, sample z once and decode.

        Parameters
        ----------
        x : Tensor, shape (B, 3, input_size, input_size), float, in [0, 1]
        eps : Tensor, shape (B, latent_size), optional
            Noise from N(0, I); drawn from torch's global generator if it is left out.
        posterior : (mu, logvar), each of shape (B, latent_size), optional
            To decode from instead of what the encoder makes of x.

        Returns
        -------
        recon : Tensor, shape (B, 3, input_size, input_size), in [0, 1]
        mu, logvar : Tensor, shape (B, latent_size)
        """
        mu, logvar = self.encode(x) if posterior is None else posterior
        if eps is None:
            eps = torch.randn_like(mu)
        return self.decode(self.reparameterize(mu, logvar, eps)), mu, logvar


# By the names that --model takes and a run's args.json keeps. All take (input_size, hidden_size,
# latent_size), keep these as attributes, and have the methods of `VAE`. All but "mlp" start with
# --init torch.
MODELS = {"mlp": VAE}


@torch.no_grad()
def initialize_from_data(model: VAE, sprites: Tensor) -> None:
    """Start the weights where signals and gradients pass through every layer.

    With PyTorch's default initialisation each ReLU layer shrinks the signal, so that the output
    hardly depends on the sprite and training begins with a long plateau. Here the layers before a
    ReLU keep its variance (He et al. 2015, https://arxiv.org/abs/1502.01852), the first layer
    takes in the standardisation of its input, and the decoder begins at the mean sprite.

    Random numbers come from torch's global generator.

    Parameters
    ----------
    model : VAE
        Changed in place.
    sprites : Tensor, shape (N, 3, input_size, input_size), uint8
        The training sprites, on any device.
    """
    first, *_, to_latent = linears = linear_layers(model.encoder)
    from_latent = linear_layers(model.decoder)
    to_pixels = from_latent[-1]

    for layer in linears + from_latent:
        if layer in (to_latent, to_pixels):
            nn.init.xavier_normal_(layer.weight, gain=OUTPUT_GAIN)
        else:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)

    mean, std = pixel_statistics(sprites)
    mean = mean.to(first.weight.device)
    # W ((x - mean) / std) = (W / std) x - (W / std) mean: the input stays x in [0, 1].
    first.weight /= std
    first.bias -= first.weight @ mean
    to_pixels.bias.copy_(torch.logit(mean.clamp(*MEAN_SPRITE_RANGE)))


def linear_layers(network: nn.Sequential) -> list[nn.Linear]:
    """Return the linear layers of a network, first to last."""
    return [layer for layer in network if isinstance(layer, nn.Linear)]


def pixel_statistics(sprites: Tensor) -> tuple[Tensor, float]:
    """Return the mean sprite and the root mean squared deviation from it.

    Parameters
    ----------
    sprites : Tensor, shape (N, 3, S, S), uint8

    Returns
    -------
    mean : Tensor, shape (3 * S * S,), float32, in [0, 1]
    std : float
        One number for all values; 1 if all sprites are equal, up to a grey level.
    """
    total = torch.zeros(sprites[0].numel(), dtype=torch.float64)
    total_squared = torch.zeros_like(total)
    for block in sprites.split(1024):  # a million sprites as float would not fit in memory
        values = block.flatten(1).float() / 255
        total += values.sum(0).cpu()
        total_squared += values.square_().sum(0).cpu()
    mean = total / len(sprites)
    # Where all sprites are the same, rounding of the float32 squares leaves up to 1e-7.
    variance = (total_squared / len(sprites) - mean.square()).mean().clamp(min=0).item()
    std = variance**0.5
    return mean.float(), std if std > LEAST_DEVIATION else 1.0


def vae_loss(
    recon: Tensor,
    x: Tensor,
    mu: Tensor,
    logvar: Tensor,
    recon_weight: float = 10.0,
    kl_weight: float = 1.0,
    huber: float = 1.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the loss, the reconstruction error and the KL divergence of a batch.

        loss = recon_weight * recon_error + kl_weight * KL(q(z | x) || N(0, I))

    Both terms are summed over dimensions and averaged over the batch: the error over the
    3 * S * S values of a sprite, the KL over the latent dimensions.

    With kl_weight 1 and huber 1 the loss is the negative ELBO, up to a constant, of a decoder
    p(x | z) = N(x; recon, sigma^2 I) with sigma^2 = 1 / (2 * recon_weight): a variance of 1/20, a
    standard deviation of 57 of 255 grey levels, by default. Another kl_weight is the beta of a
    beta-VAE. Only the ratio matters: kl_weight 1/16 is the same model, up to the scale of the loss,
    as sigma^2 = 1/320.

    With `huber` below 1 an error e of a value is squared up to there, and from there on grows along
    the tangent, 2 huber |e| - huber^2 (twice the loss of Huber 1964, "Robust Estimation of a
    Location Parameter"). Where a decoder cannot tell which of two values is right, least squares
    asks for their mean. If they are much further than `huber` apart, this asks for one within
    `huber` of the likelier, if it is likelier at all: nearly the median, which is sharper.
    The error that is returned stays squared, so that the loss is then not a sum of it and the KL.

    Parameters
    ----------
    recon, x : Tensor, shape (B, 3, S, S), in [0, 1]
    mu, logvar : Tensor, shape (B, latent_size)
    recon_weight, kl_weight : float
    huber : float
        In (0, 1]; at 1, the default, all errors are squared, because none is larger.

    Returns
    -------
    loss : Tensor, scalar
        What training minimises.
    recon_error : Tensor, scalar
        Squared error of a sprite (SSE), batch mean, whatever `huber` is.
    kl : Tensor, shape (latent_size,)
        KL of each latent dimension in nats, batch mean; their sum is the KL of the loss.
    """
    recon_error = (recon - x).square().flatten(1).sum(1).mean()
    kl = kl_divergence(mu, logvar).mean(0)
    penalty = recon_error
    if huber < 1:
        errors = 2 * huber_loss(recon, x, reduction="none", delta=huber)
        penalty = errors.flatten(1).sum(1).mean()
    loss = recon_weight * penalty + kl_weight * kl.sum()
    return loss, recon_error, kl


def kl_divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """Return KL(q(z | x) || N(0, I)) in nats, per sprite and latent dimension.

    Kingma and Welling 2014, appendix B.

    Parameters
    ----------
    mu, logvar : Tensor, shape (B, latent_size)

    Returns
    -------
    Tensor, shape (B, latent_size)
    """
    return -0.5 * (1 + logvar - mu.square() - logvar.exp())
