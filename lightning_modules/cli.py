r"""The Lightning command line, an alternative to train.py that takes classes and arguments instead of Hydra groups.

python -m lightning_modules.cli fit --config conf/cli/digits.yaml --trainer.max_epochs 5
python -m lightning_modules.cli test --config conf/cli/digits.yaml --ckpt_path .../best.ckpt
python -m lightning_modules.cli predict --config RUN/config.yaml --ckpt_path .../best.ckpt \
    --data lightning_modules.predicting.files.FilesToPredict --data.source DIR
"""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import yaml
from pytorch_lightning.cli import ArgsType, LightningArgumentParser, LightningCLI

from lightning_modules.callbacks.prediction_writer import PredictionWriter
from lightning_modules.classifier import ImageClassifier
from lightning_modules.errors import UserError, one_sentence
from lightning_modules.launching import run
from lightning_modules.model.checks import check_trainer
from lightning_modules.model.description import targets
from lightning_modules.predicting.files import FilesToPredict


class TrainerCLI(LightningCLI):
    """LightningCLI that uses one seed for everything."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.link_arguments("seed_everything", "model.seed", compute_fn=int)
        parser.link_arguments("seed_everything", "data.init_args.seed", compute_fn=int)

    def instantiate_classes(self) -> None:
        super().instantiate_classes()
        written = self._parser(self.subcommand).dump(self.config[self.subcommand])
        self.model.config = targets(yaml.safe_load(written)["model"])  # checkpoints hold it

    def instantiate_trainer(self, **options: Any) -> pl.Trainer:
        trainer = super().instantiate_trainer(**options)
        check_trainer(trainer)
        return trainer

    def before_fit(self) -> None:
        run.existing_checkpoint(self.config.fit.ckpt_path, to_continue=True)

    def before_validate(self) -> None:
        self._require_weights(self.config.validate.ckpt_path)

    def before_test(self) -> None:
        self._require_weights(self.config.test.ckpt_path)

    def before_predict(self) -> None:
        self._require_weights(self.config.predict.ckpt_path)
        self.config_init.predict.return_predictions = False
        callbacks: list[pl.Callback] = self.trainer.callbacks  # type: ignore[attr-defined]  # Lightning declares it nowhere
        writes = any(isinstance(callback, PredictionWriter) for callback in callbacks)
        if isinstance(self.datamodule, FilesToPredict) and not writes:
            callbacks.append(PredictionWriter())

    def _require_weights(self, ckpt_path: str | None) -> None:
        if ckpt_path is None:
            raise UserError(f"{self.subcommand} needs weights: pass --ckpt_path=.../best.ckpt.")
        run.existing_checkpoint(ckpt_path)


def main(args: ArgsType = None) -> TrainerCLI:
    """Run fit, validate, test or predict with the given arguments, or with those of the command line if None."""
    run.silence_harmless_warnings()
    return TrainerCLI(
        ImageClassifier,
        pl.LightningDataModule,
        subclass_mode_data=True,
        seed_everything_default=0,
        save_config_kwargs={"overwrite": True},  # a run may restart in its own folder
        args=args,
    )


if __name__ == "__main__":
    with one_sentence():
        main()
