"""PyTorch's side of `train`: the step of each recipe, written as a PyTorch user would.

Run by `recipes.benchmark.train`; a script for developers. Same networks, degradations, losses and
precision as the recipes, the degradation inside the step; Adam in its fused form, gradient
clipping, average of the weights and mean PSNR as there. Memory is channels-last. Bicubic resizing
multiplies by matrices. Under bfloat16 autocast the last layer stays in float32, as in the zoo.
"""

import argparse
from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from asykeras.resize import bicubic_resize
from recipes.benchmark.turns import serve

Map: TypeAlias = Callable[[torch.Tensor], torch.Tensor]
MARGIN = 20  # pixels that SRCNN's label loses: 12 of context and 8 of the three valid convolutions


class Float32(nn.Module):
    """A layer that computes in float32 also under autocast, as the last ones of the zoo."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the layer."""
        with torch.autocast(x.device.type, enabled=False):
            return self.layer(x.float())


class Residual(nn.Module):
    """Adds the output of some layers to their input, or subtracts it."""

    def __init__(self, *layers: nn.Module, sign: int = 1):
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.sign = sign

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the layers."""
        return torch.add(x, self.layers(x), alpha=self.sign)


def convolution(inputs: int, outputs: int, bias: bool = True) -> nn.Module:
    """Return a zero-padded 3x3 convolution."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)


def srcnn(padded: bool = False) -> nn.Module:
    """Return SRCNN 9-5-5, without padding as it is trained, or with it."""
    sizes = [(1, 64, 9), (64, 32, 5), (32, 1, 5)]
    one, two, last = (nn.Conv2d(*each, padding=each[2] // 2 if padded else 0) for each in sizes)
    return nn.Sequential(one, nn.ReLU(inplace=True), two, nn.ReLU(inplace=True), Float32(last))


def edsr() -> nn.Module:
    """Return the EDSR baseline for scale 2; the mean of the images is left out."""
    blocks = [
        Residual(convolution(64, 64), nn.ReLU(inplace=True), convolution(64, 64)) for _ in range(16)
    ]
    return nn.Sequential(
        convolution(3, 64),
        Residual(*blocks, convolution(64, 64)),
        convolution(64, 256),
        nn.PixelShuffle(2),
        Float32(convolution(64, 3)),
    )


def dncnn(normalized: bool = True, depth: int = 17, channels: int = 1) -> nn.Module:
    """Return DnCNN, with batch normalisation as it is trained, or without."""
    layers = [convolution(channels, 64), nn.ReLU(inplace=True)]
    for _ in range(depth - 2):
        norm = [nn.BatchNorm2d(64, eps=1e-4)] if normalized else []
        layers += [convolution(64, 64, bias=not normalized), *norm, nn.ReLU(inplace=True)]
    return Residual(*layers, Float32(convolution(64, channels)), sign=-1)


class FFDNet(nn.Module):
    """FFDNet for images of even sides and noise of 25 grey levels."""

    def __init__(self, channels: int, depth: int, filters: int) -> None:
        super().__init__()
        layers = [convolution(4 * channels + 1, filters), nn.ReLU(inplace=True)]
        for _ in range(depth - 2):
            layers += [convolution(filters, filters), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, Float32(convolution(filters, 4 * channels)))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Restore (B, C, H, W)."""
        x = nn.functional.pixel_unshuffle(image, 2)
        x = torch.cat([x, torch.full_like(x[:, :1], 25 / 255)], 1)
        return nn.functional.pixel_shuffle(self.layers(x), 2)


class SPAN(nn.Module):
    """SPAN x2 of 48 channels; see `zoo.networks.span`."""

    means: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.head, self.last = convolution(3, 48), convolution(48, 48)
        self.blocks = nn.ModuleList(
            nn.ModuleList(convolution(48, 48) for _ in range(3)) for _ in range(6)
        )
        self.fusion = nn.Conv2d(4 * 48, 48, 1)
        self.tail = Float32(convolution(48, 12))
        self.register_buffer("means", torch.tensor([0.4488, 0.4371, 0.4040]).reshape(3, 1, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Enlarge (B, C, H, W)."""
        x = head = self.head(image - self.means)
        outputs, inner = [], []
        for one, two, three in self.blocks:
            inner.append(functional.silu(one(x), inplace=True))
            third = three(functional.silu(two(inner[-1]), inplace=True))
            x = (third + x) * (torch.sigmoid(third) - 0.5)
            outputs.append(x)
        gathered = torch.cat([head, self.last(x), outputs[0], inner[-1]], 1)
        return functional.pixel_shuffle(self.tail(self.fusion(gathered)), 2)


class Unit(nn.Module):
    """Quasi-recurrent unit of GRUNet; see `zoo.networks.dphsir`."""

    def __init__(
        self,
        inputs: int,
        filters: int,
        direction: str = "forward",
        size: int = 3,
        stride: int = 1,
        bias: bool = False,
    ):
        super().__init__()
        self.direction = direction
        self.gates = 3 if direction == "both" else 2
        outputs, steps = self.gates * filters, (1, stride, stride)
        self.convolution = nn.Conv3d(
            inputs, outputs, size, stride=steps, padding=size // 2, bias=bias
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return h of every band of (B, C, bands, H, W)."""
        z, *forget = self.convolution(x).chunk(self.gates, 1)
        z, forget = torch.tanh(z), [torch.sigmoid(f) for f in forget]
        if self.direction == "both":
            return self._scan(z, forget[0], False) + self._scan(z, forget[1], True)
        return self._scan(z, forget[0], self.direction == "backward")

    def _scan(self, z: torch.Tensor, forget: torch.Tensor, backward: bool) -> torch.Tensor:
        bands = list(zip(z.unbind(2), forget.unbind(2), strict=True))
        h, states = torch.zeros_like(bands[0][0]), []
        for new, f in reversed(bands) if backward else bands:
            h = torch.lerp(new, h, f)  # f h + (1 - f) z
            states.append(h)
        return torch.stack(states[::-1] if backward else states, 2)


class Block(nn.Module):
    """Two units, and one of 1x1x1 kernels beside them."""

    def __init__(self, inputs: int, filters: int):
        super().__init__()
        self.branch = nn.Sequential(Unit(inputs, filters), Unit(filters, filters))
        self.shortcut = Unit(inputs, filters, size=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the block."""
        return self.branch(x) + self.shortcut(x)


class GRUNet(nn.Module):
    """GRUNet of DPHSIR: noisy image with its noise level as second channel -> restored image."""

    def __init__(self) -> None:
        super().__init__()
        widths = (16, 32, 64, 128, 256)
        levels = list(pairwise(widths))
        self.head = Unit(2, 16, "both")
        self.down = nn.ModuleList(
            Unit(narrow, narrow, "backward", stride=2) for narrow, _ in levels
        )
        self.encoder = nn.ModuleList(Block(narrow, wide) for narrow, wide in levels)
        self.up = nn.ModuleList(Unit(wide, narrow, "backward") for narrow, wide in levels)
        self.decoder = nn.ModuleList(Block(2 * narrow, narrow) for narrow, _ in levels)
        self.tail = Float32(Unit(16, 1, "both", bias=True))

    def forward(self, volume: torch.Tensor) -> torch.Tensor:
        """Restore (B, 2, bands, H, W); returns (B, bands, H, W)."""
        features = [self.head(volume)]
        for down, block in zip(self.down, self.encoder, strict=True):
            features.append(block(down(features[-1])))
        x = features.pop()
        for up, block in zip(reversed(self.up), reversed(self.decoder), strict=True):
            x = functional.interpolate(
                x, scale_factor=(1, 2, 2), mode="trilinear", align_corners=True
            )
            x = block(torch.cat([features.pop(), up(x)], 1))
        return volume[:, 0] + self.tail(x)[:, 0]


def resizer(scale: float, size: int) -> Map:
    """Return a function that resizes squares of a size by matrices, as `bicubic_resize` does."""
    rows = bicubic_resize(np.eye(size), (scale, 1)).astype(np.float32)
    matrix = torch.tensor(rows)  # on torch's default device
    return lambda image: matrix @ image @ matrix.T


def degradation(recipe: str, patch: int) -> Map:
    """Return what a recipe puts in front of its network, for images (B, C, H, W) in [0, 1]."""
    if recipe == "srcnn":
        down, up = resizer(1 / 3, patch), resizer(3, -(-patch // 3))
        return lambda clean: up(down(clean))[:, :, :patch, :patch][:, :, 12:-12, 12:-12]
    if recipe == "edsr":
        down = resizer(1 / 2, patch)
        # Rounded once, not after each pass as by our layer.
        return lambda clean: down(clean * 255).round().clamp(0, 255) / 255
    if recipe == "dncnn":
        return lambda clean: clean + 25 / 255 * torch.randn_like(clean)

    def with_level(clean: torch.Tensor) -> torch.Tensor:
        sigma = 70 / 255 * torch.rand(len(clean), 1, 1, 1)
        noisy = clean + sigma * torch.randn_like(clean)
        return torch.stack([noisy, sigma.expand_as(noisy)], 1)

    return with_level


NETWORKS = {"srcnn": srcnn, "edsr": edsr, "dncnn": dncnn, "dphsir": GRUNet}


class Step:
    """A training step of a recipe from a batch in memory."""

    def __init__(self, recipe: str, batch: int, patch: int, bfloat16: bool, compiled: bool):
        torch.manual_seed(0)
        self.layout = torch.channels_last_3d if recipe == "dphsir" else torch.channels_last
        network = NETWORKS[recipe]().to(memory_format=self.layout)
        self.parameters = list(network.parameters())
        self.average = torch.optim.swa_utils.AveragedModel(
            network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.999)
        )
        self.module = network
        self.network = torch.compile(network) if compiled else network
        self.degrade = degradation(recipe, patch)
        self.recipe, self.bfloat16 = recipe, bfloat16
        self.adam = torch.optim.Adam(self.parameters, 1e-4, fused=True)
        channels = 1 if recipe in ("srcnn", "dncnn") else 3
        self.batch = torch.randint(0, 256, (batch, channels, patch, patch), dtype=torch.uint8)

    def __call__(self) -> float:
        """Train for one step; return the loss."""
        return float(self.take())

    def take(self) -> torch.Tensor:
        """Train for one step; return the loss, for which nobody has waited."""
        clean = self.batch / 255
        degraded = self.degrade(clean).contiguous(memory_format=self.layout)
        with torch.autocast(clean.device.type, torch.bfloat16, enabled=self.bfloat16):
            restored = self.network(degraded)
        if self.recipe == "srcnn":
            clean = clean[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN]
        error = functional.l1_loss if self.recipe == "edsr" else functional.mse_loss
        loss = error(restored, clean)
        self.adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.adam.step()
        self.average.update_parameters(self.module)
        with torch.no_grad():
            errors = ((restored.clamp(0, 1) - clean) ** 2).mean((1, 2, 3))
            self.psnr = (-10 * errors.log10()).mean()
        return loss.detach()


def main() -> None:
    """Take the steps that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=NETWORKS)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--patch", type=int, required=True)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), required=True)
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    bfloat16 = options.precision == "bfloat16"
    step = Step(options.recipe, options.batch, options.patch, bfloat16, options.compile)
    serve({"step": step})


if __name__ == "__main__":
    main()
