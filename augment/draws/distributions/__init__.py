"""Distributions: small modules that map a column of uniforms to a random quantity by the inverse CDF.

The inverse CDF is the reparameterisation trick: a sample is a differentiable function of the bounds. With
`learnable=True` the bounds become parameters that cannot leave their legal range. Fixed bounds are plain numbers
instead of buffers, so they are not cast to half precision, broadcast from rank 0 or restored from a checkpoint.
"""

from augment.draws.distributions.base import Distribution
from augment.draws.distributions.beta import Beta
from augment.draws.distributions.continuous import Constant, LogUniform, Normal, Spread, Uniform
from augment.draws.distributions.discrete import Bernoulli, Choice
from augment.draws.distributions.schedule import Schedule

__all__ = [
    "Bernoulli",
    "Beta",
    "Choice",
    "Constant",
    "Distribution",
    "LogUniform",
    "Normal",
    "Schedule",
    "Spread",
    "Uniform",
]
