"""SimCLR on a folder of images, with the parts of the trainer and a linear probe.

    python docs/examples/simclr.py cifar10 --size 32 --epochs 20

Two views of every image, A.presets.simclr, train a network without labels (Chen et al. 2020, arXiv 2002.05709). A
linear classifier on its frozen features then tells what they are worth, beside the features of the untrained network.
The folder has one folder per class, or `train` and `test` with one each; only the probe reads the classes.
"""

from __future__ import annotations

import argparse
import copy

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

import augment as A
from lightning_modules.callbacks.last_checkpoint import LastCheckpoint
from lightning_modules.data.datamodule import ImageDataModule
from lightning_modules.data.folder import FolderData
from lightning_modules.data.image_sets import ImageSet
from lightning_modules.model.backbones import frozen, small_cnn, timm_backbone


def contrastive_losses(first: Tensor, second: Tensor, temperature: float = 0.5) -> Tensor:
    """Return the loss of each view (2B,): its partner among all other views of the batch (NT-Xent, section 2.1).

    Args:
        first, second: (B, D), the projections of the two views of each sample.
        temperature: of the softmax; appendix B.9 finds 0.5 best on CIFAR-10.
    """
    z = F.normalize(torch.cat([first, second]).float(), dim=1)
    similar = z @ z.T / temperature
    similar = similar.masked_fill(torch.eye(len(z), dtype=torch.bool, device=z.device), -torch.inf)
    partner = torch.arange(len(z), device=z.device).roll(len(first))
    return F.cross_entropy(similar, partner, reduction="none")


class SimCLR(pl.LightningModule):
    """Train a backbone so that two views of an image have similar projections, and those of other images do not.

    Args:
        backbone: network, (B, C, H, W) float -> (B, features).
        views: gives two views of each image.
        features: number of features.
        lr: learning rate of AdamW, which falls to 0 along a cosine.
    """

    def __init__(self, backbone: nn.Module, views: A.Views, features: int, lr: float = 1e-3) -> None:
        super().__init__()
        self.backbone, self.views, self.lr = backbone, views, lr
        self.head = nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, 128))

    def training_step(self, batch: A.Batch) -> Tensor:
        first, second = self.views(batch.replace(label=None), epoch=self.current_epoch)
        projected = self.head(self.backbone(torch.cat([first.image, second.image])))
        loss = contrastive_losses(*projected.chunk(2)).mean()
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch))
        return loss

    def configure_optimizers(self) -> dict:
        optimizer = torch.optim.AdamW(self.parameters(), self.lr, weight_decay=1e-4)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


@torch.no_grad()
def features_of(backbone: nn.Module, preprocess: A.Preprocess, images: ImageSet, device: torch.device) -> Tensor:
    """Return the features of all images (N, features), preprocessed as for evaluation."""
    found = []
    with frozen(backbone):
        for start in range(0, len(images), 256):
            batch = images.__getitems__(list(range(start, min(start + 256, len(images))))).to(device)
            found.append(backbone(preprocess(batch).image).float().cpu())
    return torch.cat(found)


def probe(backbone: nn.Module, preprocess: A.Preprocess, data: ImageDataModule, device: torch.device) -> float:
    """Return the test accuracy of a linear classifier on the frozen features of the training images."""
    train, test = (features_of(backbone, preprocess, part, device) for part in (data.splits.train, data.splits.test))
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    classifier.fit(train.numpy(), data.splits.train.labels.numpy())
    return float(classifier.score(test.numpy(), data.splits.test.labels.numpy()))


def network(name: str, channels: int) -> tuple[nn.Module, int]:
    """Return a network ("small_cnn", or timm's name) without its last layer, and its number of features."""
    if name != "small_cnn":
        backbone = timm_backbone(name, 0, channels)
        return backbone, int(backbone.num_features)
    *layers, last = small_cnn(2, channels)
    return nn.Sequential(*layers), last.in_features


def pretrain_and_probe(
    data: ImageDataModule,
    size: int,
    trainer: pl.Trainer,
    name: str = "small_cnn",
    strength: float = 0.5,
    blur: bool = False,
    seed: int = 0,
) -> dict[str, float]:
    """Train a network with SimCLR and return the accuracy of a linear probe before and after.

    Args:
        data: its images are trained on without their labels.
        size: height and width of the views, in pixels.
        trainer: trains.
        name: see `network`.
        strength, blur: of `A.presets.simclr`; by default those of CIFAR-10.
        seed: of weights and views.
    """
    pl.seed_everything(seed)
    backbone, features = network(name, data.channels)
    untrained = copy.deepcopy(backbone)
    views = A.presets.simclr(size, 0.5, 0.25, strength, blur, seed=seed)
    model = SimCLR(backbone, views, features)
    trainer.fit(model, datamodule=data)
    preprocess = A.Preprocess(size, 0.5, 0.25, crop=None).to(model.device)
    return {
        "random weights": probe(untrained.to(model.device), preprocess, data, model.device),
        "SimCLR": probe(model.backbone, preprocess, data, model.device),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="one folder of images per class")
    parser.add_argument("--size", type=int, default=32, help="height and width of the views, in pixels")
    parser.add_argument("--network", default="small_cnn", help="small_cnn, or the name of a timm network")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--workers", type=int, default=0, help="processes that decode images")
    parser.add_argument("--strength", type=float, default=0.5, help="of the colour jitter; 1 for photographs")
    parser.add_argument("--blur", action="store_true", help="blur half of the views, for photographs")
    parser.add_argument("--out", default="outputs/simclr", help="folder of last.ckpt and the log")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    data = FolderData(given.folder, batch_size=given.batch_size, num_workers=given.workers, seed=given.seed)
    trainer = pl.Trainer(
        max_epochs=given.epochs,
        default_root_dir=given.out,
        callbacks=[LastCheckpoint(f"{given.out}/checkpoints")],
        use_distributed_sampler=False,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
    )
    found = pretrain_and_probe(data, given.size, trainer, given.network, given.strength, given.blur, given.seed)
    for name, accuracy in found.items():
        print(f"linear probe, {name}: {100 * accuracy:.1f} %")


if __name__ == "__main__":
    main()
