"""A beta-VAE in plain PyTorch: the paper's networks, loss and optimiser, the usual way."""

import torch
from torch import nn
from torch.nn import functional


class BetaVAE(nn.Module):
    """The paper's encoder and decoder (NCHW)."""

    def __init__(self, num_channels: int, num_latents: int):
        super().__init__()
        self.encoder = nn.Sequential(
            *(nn.Conv2d(num_channels, 32, 4, 2, 1), nn.ReLU()),
            *(nn.Conv2d(32, 32, 4, 2, 1), nn.ReLU()),
            *(nn.Conv2d(32, 64, 2, 2), nn.ReLU()),
            *(nn.Conv2d(64, 64, 2, 2), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(1024, 256), nn.ReLU()),
        )
        self.mean = nn.Linear(256, num_latents)
        self.log_variance = nn.Linear(256, num_latents)
        self.decoder = nn.Sequential(
            *(nn.Linear(num_latents, 256), nn.ReLU(), nn.Linear(256, 1024), nn.ReLU()),
            nn.Unflatten(1, (64, 4, 4)),
            *(nn.ConvTranspose2d(64, 64, 4, 2, 1), nn.ReLU()),
            *(nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU()),
            *(nn.ConvTranspose2d(32, 32, 4, 2, 1), nn.ReLU()),
            nn.ConvTranspose2d(32, num_channels, 4, 2, 1),
        )

    def loss(self, images: torch.Tensor, beta: float) -> torch.Tensor:
        """Returns the loss of (B, C, H, W) images."""
        hidden = self.encoder(images)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        codes = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        logits = self.decoder(codes)
        reconstruction = functional.binary_cross_entropy_with_logits(
            logits, images, reduction="sum"
        ) / len(images)
        kl = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1).mean()
        return reconstruction + beta * kl


class Training:
    """One model in training; `step` takes a batch of (B, C, H, W) images."""

    def __init__(self, num_channels: int, num_latents: int, learning_rate: float, beta: float):
        torch.manual_seed(0)
        self.model = BetaVAE(num_channels, num_latents)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=learning_rate)
        self.beta = beta

    def step(self, images: torch.Tensor) -> None:
        """Takes one step on a batch."""
        self.optimizer.zero_grad()
        self.model.loss(images, self.beta).backward()
        self.optimizer.step()
