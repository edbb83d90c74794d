"""Image operators: Kornia's functional filters."""

import kornia.filters as filters

from tests.conformance.references.register import reference


@reference("RandomGaussianBlur")
def _(images, params):
    return filters.gaussian_blur2d(images, (5, 5), params["sigma"][:, None].expand(-1, 2))
