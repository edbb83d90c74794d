"""Blurs the background of a photograph: python docs/examples/blur_background.py PHOTO OUT [--mask MASK]

The mask may come from any model or from a file. It has the size of the network's images and goes back to the size of
the photograph; blur and composition run on the same device, in one module. Without --mask, OpenCV's GrabCut finds what
differs from the border of the photograph, in place of a network.
"""

import argparse

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

import augment as A

SIZE = 256
"""Height and width of the images that a network would see, in pixels."""


class BlurBackground(nn.Module):
    """Blurs what a mask does not cover.

    The blurred image is a weighted mean of the background only, so that the foreground does not shine into it.

    Args:
        preprocess: what made the images that the mask belongs to.
        sigma: standard deviation of the blur, in pixels of the original image.
    """

    def __init__(self, preprocess: A.Preprocess, sigma: float) -> None:
        super().__init__()
        self.back = A.ResizeBack(preprocess)
        self.blur = A.RandomGaussianBlur(2 * round(3 * sigma) + 1, (sigma, sigma), p=1.0)

    def train(self, mode: bool = True) -> "BlurBackground":
        """Keeps the blur in training mode: layers with random strength rest in evaluation mode."""
        super().train(mode)
        self.blur.train()
        return self

    def forward(self, images: Tensor, mask: Tensor) -> Tensor:
        """Maps uint8 images (B, 3, H, W) and masks (B, 1, h, w) in [0, 1], 1 for the foreground, to uint8 images."""
        foreground = self.back(mask, images)
        background = 1 - foreground
        pixels = images / 255
        noise = pixels.new_full((images.shape[0], self.blur.draws), 0.5)  # a blur of one strength needs no chance
        light = self.blur(pixels * background, noise) / self.blur(background, noise).clamp(min=1e-3)
        mixed = foreground * pixels + background * light
        return (mixed * 255).round().clamp(0, 255).to(torch.uint8)


def grab_cut(image: Tensor) -> Tensor:
    """Returns a mask (1, 1, h, w) for an image (3, h, w) in [0, 1], whose outer tenth is taken as background."""
    import cv2

    pixels = (image.permute(1, 2, 0).cpu().numpy() * 255).astype(np.uint8)
    height, width = pixels.shape[:2]
    inner = (width // 10, height // 10, width * 8 // 10, height * 8 // 10)
    found, models = np.zeros((height, width), np.uint8), [np.zeros((1, 65)) for _ in range(2)]
    cv2.setRNGSeed(0)
    cv2.grabCut(np.ascontiguousarray(pixels[..., ::-1]), found, inner, *models, 5, cv2.GC_INIT_WITH_RECT)
    foreground = (found == cv2.GC_FGD) | (found == cv2.GC_PR_FGD)
    return torch.from_numpy(foreground.astype(np.float32))[None, None]


def main() -> None:
    parser = argparse.ArgumentParser(description="Blur the background of a photograph.")
    parser.add_argument("photo")
    parser.add_argument("out")
    parser.add_argument("--mask", help="image file of the photograph's shape, white for the foreground")
    parser.add_argument("--sigma", type=float, default=8.0, help="strength of the blur, in pixels")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    words = parser.parse_args()

    preprocess = A.Preprocess(SIZE, crop=None)  # a network's own, with its mean and std
    images = A.as_images([words.photo]).to(words.device)
    given = words.mask and preprocess(A.as_images([words.mask], channels=1))
    mask = grab_cut(preprocess(images)[0]) if given is None else given
    blurred = BlurBackground(preprocess, words.sigma)(images, mask.to(words.device))
    Image.fromarray(blurred[0].permute(1, 2, 0).cpu().numpy()).save(words.out)


if __name__ == "__main__":
    main()
