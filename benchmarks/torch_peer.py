"""A beta-VAE in plain PyTorch: the paper's networks, loss and optimiser, alone and mapped."""

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

    def __init__(
        self,
        num_channels: int,
        num_latents: int,
        learning_rate: float,
        beta: float,
        compiled: bool = False,
    ):
        torch.manual_seed(0)
        self.model = BetaVAE(num_channels, num_latents)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=learning_rate)
        self.loss = torch.compile(self.model.loss) if compiled else self.model.loss
        self.beta = beta

    def step(self, images: torch.Tensor) -> None:
        """Takes one step on a batch."""
        self.optimizer.zero_grad()
        self.loss(images, self.beta).backward()
        self.optimizer.step()


class Pack:
    """Many models in training, mapped by `torch.func.vmap`; `step` takes (R, B, C, H, W) images."""

    def __init__(
        self,
        num_models: int,
        num_channels: int,
        num_latents: int,
        learning_rate: float,
        beta: float,
        device: str,
    ):
        models = [BetaVAE(num_channels, num_latents).to(device) for _ in range(num_models)]
        stacked, _ = torch.func.stack_module_state(models)
        self.parameters = {name: value.detach() for name, value in stacked.items()}
        self.optimizer = torch.optim.Adam(self.parameters.values(), lr=learning_rate, fused=True)
        model = models[0].to("meta")

        def loss(parameters: dict[str, torch.Tensor], images: torch.Tensor) -> torch.Tensor:
            return torch.func.functional_call(
                _Loss(model, beta),
                {f"model.{name}": p for name, p in parameters.items()},
                (images,),
            )

        self.gradients = torch.func.vmap(torch.func.grad(loss), randomness="different")

    def step(self, images: torch.Tensor) -> None:
        """Takes one step of all models, each on its own batch."""
        gradients = self.gradients(self.parameters, images)
        for name, parameter in self.parameters.items():
            parameter.grad = gradients[name]
        self.optimizer.step()


class _Loss(nn.Module):
    """A model whose call is its loss."""

    def __init__(self, model: BetaVAE, beta: float):
        super().__init__()
        self.model, self.beta = model, beta

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.model.loss(images, self.beta)
