"""A Hydra sweeper that lets Optuna choose the settings of each trial.

The plugin hydra-optuna-sweeper requires Optuna 2, which is older than our Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from lightning_modules.errors import UserError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution


class OptunaSweeper(Sweeper):
    """Run trials one after the other; each is chosen from the results of the earlier ones.

    A setting is a range, `interval(0.1,0.5)`, of whole numbers as `int(interval(8,64))`, on a logarithmic scale as
    `tag(log,interval(1e-4,1e-2))`; or a list of choices, `none,light`.

    Args:
        trials: number of trials.
        seed: seed of Optuna's sampler.
        direction: "maximize" or "minimize" the best value of the monitored metric.
        params: ranges and lists, which the command line may override and extend.
    """

    def __init__(
        self, trials: int, seed: int, direction: Literal["maximize", "minimize"], params: dict[str, str] | None = None
    ) -> None:
        if trials < 1:
            raise UserError(f"hydra.sweeper.trials={trials} must be at least 1.")
        if direction not in ("maximize", "minimize"):
            raise UserError(f"hydra.sweeper.direction={direction} must be maximize or minimize.")
        self.trials, self.seed, self.direction, self.params = trials, seed, direction, params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config, self.loader = config, hydra_context.config_loader
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        try:
            import optuna
        except ImportError as error:
            raise UserError("sweep=optuna needs Optuna: pip install -e '.[sweep]'.") from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        parser = OverridesParser.create(config_loader=self.loader)
        given = parser.parse_overrides([*(f"{key}={value}" for key, value in self.params.items()), *arguments])
        settings = {override.get_key_element(): override for override in given}  # the last one of each setting
        space = {key: _distribution(override) for key, override in settings.items() if override.is_sweep_override()}
        if not space:
            raise UserError(
                "sweep=optuna has no setting to choose: give a range such as 'optimizer.lr=interval(1e-4,1e-2)'."
            )
        fixed = [f"{key}={o.get_value_element_as_str()}" for key, o in settings.items() if key not in space]
        study = optuna.create_study(direction=self.direction, sampler=optuna.samplers.TPESampler(seed=self.seed))
        for number in range(self.trials):
            trial = study.ask(space)
            chosen = [f"{key}={value}" for key, value in trial.params.items()]
            (ended,) = self.launcher.launch([[*fixed, *chosen]], initial_job_idx=number)
            if ended.return_value is None:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(trial, ended.return_value)
        if any(trial.value is not None for trial in study.trials):
            best = study.best_trial
            print(f"best of {self.trials} trials: trial {best.number} with {best.value:.4f}, {best.params}", flush=True)


def _distribution(override: Override) -> BaseDistribution:
    """Return the range or the list of an override for Optuna."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    sweep: Any = override.value()
    if not isinstance(sweep, IntervalSweep):
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    kind: Any = IntDistribution if isinstance(sweep.start, int) else FloatDistribution
    try:
        return kind(sweep.start, sweep.end, log="log" in sweep.tags)
    except ValueError as error:
        raise UserError(f"{override.input_line} is not a range: {error}") from error
