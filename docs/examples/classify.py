"""Classifies photographs from end to end: python docs/examples/classify.py best.ckpt PHOTO...

Photographs of any sizes go through one module on one device: preprocessing, network and the choice of the likeliest
classes. `lightning_modules.load` needs the trainer; docs/serving.md says how to export a model that does not.
"""

import argparse

import torch
from torch import nn

import augment as A
from lightning_modules import load
from lightning_modules.errors import one_sentence


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the likeliest classes of photographs.")
    parser.add_argument("checkpoint", help="best.ckpt of a run")
    parser.add_argument("photos", nargs="+", help="image files")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    words = parser.parse_args()

    model = load(words.checkpoint, words.device)
    activation = "sigmoid" if model.loss.multi_label else "softmax"
    best = A.TopClasses(min(5, len(model.class_names)), activation)
    served = nn.Sequential(model.preprocess, model.backbone, best).eval()
    images = A.as_images(words.photos, channels=model.channels).to(words.device)
    with torch.inference_mode():
        probabilities, classes = served(images)
    for photo, row, numbers in zip(words.photos, probabilities.tolist(), classes.tolist(), strict=True):
        answers = (f"{model.class_names[n]} {p:.3f}" for p, n in zip(row, numbers, strict=True))
        print(f"{photo}: {', '.join(answers)}")


if __name__ == "__main__":
    with one_sentence():
        main()
