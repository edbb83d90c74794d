"""Train an image classifier whose augmentation is part of the model.

Examples:
    python train.py                                                   handwritten digits, a minute on two cores
    python train.py data=folder data.root=photos augment=imagenet model.name=resnet50
    python train.py ckpt_path=outputs/.../checkpoints/last.ckpt       continues an interrupted run
    python train.py ckpt_path=RUN/checkpoints/last.ckpt hydra.run.dir=RUN   continues it in the same folder and logs
    python train.py hydra.run.dir=RUN ckpt_path=last                  begins a run in a folder, or continues it
    python train.py train=false ckpt_path=outputs/.../best.ckpt       only tests, with the run's settings
    python train.py evaluate=true train=false ckpt_path=outputs/.../best.ckpt   per class, calibration, robustness
    python train.py predict=photos ckpt_path=outputs/.../best.ckpt    classifies images, into predictions.csv
    python train.py augment=PATH/policy.yaml                          reads the augmentation from your own file
    python train.py replay=outputs/.../replay-epoch3-step1200.json    repeats the batch at which a run stopped
    python train.py callbacks=report                                  pictures of augmented batches, and a report.html
    python train.py --multirun augment=none,light seed=0,1,2          compares augmentations
    python train.py sweep=optuna                                      searches settings with Optuna
    python train.py --help                                            lists every setting
Without a checkout, where the package is installed, the command is augment-train.
"""

from __future__ import annotations

import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from lightning_modules.launching.help_text import asked, show_help

CONF = Path(__file__).resolve().with_name("conf")
"""The configuration, which lies beside this file in a checkout and in an installed package."""


def train(cfg: DictConfig) -> float | None:
    """Run one configuration and return its best validation accuracy, which sweepers compare."""
    import pytorch_lightning as pl  # imported here, because --help does not wait for it
    from hydra.utils import instantiate

    from lightning_modules.launching import run, start
    from lightning_modules.launching.checkpoint_settings import OVERRIDES, overrides_of_run
    from lightning_modules.launching.settings import check_settings
    from lightning_modules.saving.saved import LAST, last_of_run, saying_what_is_kept

    OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)  # raises if a required setting is missing
    check_settings(cfg)
    start.resolve_paths(cfg)
    run.silence_harmless_warnings()
    pl.seed_everything(cfg.seed, workers=True)
    chosen = last_of_run(cfg.output_dir) if cfg.ckpt_path == LAST else cfg.ckpt_path
    ckpt_path = run.existing_checkpoint(chosen, to_continue=cfg.train)

    data = instantiate(cfg.data.module)
    if cfg.data.num_classes is None:
        cfg.data.num_classes = data.num_classes  # a folder of images determines the number of classes
    model = instantiate(cfg.classifier)
    model.config = OmegaConf.to_container(cfg.classifier, resolve=True) | {OVERRIDES: overrides_of_run(cfg)}
    start.refuse_random_weights(cfg, ckpt_path, model)
    trainer = start.build_trainer(cfg, continuing=cfg.train and ckpt_path is not None)
    run.refuse_distributed_multirun(trainer)

    score = None
    with run.ending_together(trainer), saying_what_is_kept(cfg.output_dir, cfg.output_dir):
        if cfg.train:
            trainer.fit(model, data, ckpt_path=ckpt_path, weights_only=True)
            ckpt_path, score = run.best_of(trainer)
        if cfg.test:
            trainer.test(model, data, ckpt_path=ckpt_path, weights_only=True, verbose=False)
    run.report(trainer, cfg.output_dir, ckpt_path, score, trainer.callback_metrics)
    return score


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="train")
def main(cfg: DictConfig) -> float | None:
    from lightning_modules.errors import one_sentence

    with one_sentence():
        if cfg.predict is None:
            return train(cfg)
        from lightning_modules.launching.predict import predict

        predict(cfg)
        return None


def command() -> None:
    """Run the command line: `python train.py`, or `augment-train` where the package is installed."""
    if asked(sys.argv[1:]):
        sys.exit(show_help(CONF, sys.argv[1:]))
    from lightning_modules.callbacks.replay import with_replay
    from lightning_modules.errors import one_sentence
    from lightning_modules.launching.augment_file import with_augment_files
    from lightning_modules.launching.checkpoint_settings import with_checkpoint
    from lightning_modules.launching.settings import switched_off
    from lightning_modules.sweeps.sweep_plugins import register

    with one_sentence():
        sys.argv[1:] = with_augment_files(with_checkpoint(switched_off(with_replay(sys.argv[1:]))))
        register()
        main()


if __name__ == "__main__":
    command()
