"""The measured recipes: lists of operators, which every implementation translates with its own table.

The names stand for these operators, with the same ranges in every library that has them (`peers` notes exceptions):

    resized_crop  8 to 100 % of the area, ratio 3/4 to 4/3, antialiased where offered, to the output size
    hflip, vflip  half of the images
    rotation      -15 to 15 degrees, bilinear; turn is -5 to 5 degrees
    translate     up to 10 % of each side; scaling 0.9 to 1.1; shear -5 to 5 degrees
    affine        rotation, translate and scaling in one
    perspective   0.2, all images
    color_jitter  brightness, contrast, saturation 0.4, hue 0.1, all images; weak_jitter 0.3, no hue
    normalize     ImageNet's mean and standard deviation
    erasing       a quarter of the images
    randaugment   two operators of 14, magnitude 9 of 30; randaugment4 of Rotate, TranslateX, Brightness, Posterize
    one_of_three  gray, solarized or blurred
    mixup, cutmix half of the images each, Beta(0.2, 0.2) and Beta(1, 1), with labels of 1000 classes
"""

from augment.tools.errors import ToolError

_CROP = ("resized_crop", "hflip")
_CHAIN = ("rotation", "scaling", "translate", "shear", "hflip", "affine", "turn", "vflip")

_WHOLE = {
    "crop_flip": (*_CROP, "normalize"),
    "jitter": (*_CROP, "affine", "color_jitter", "normalize", "erasing"),
    "randaugment": (*_CROP, "randaugment", "normalize", "erasing"),
    "three_augment": (*_CROP, "one_of_three", "weak_jitter", "normalize"),
    "mixing": (*_CROP, "normalize", "mixup", "cutmix"),
}
_LAYERS = (
    *("resized_crop", "hflip", "rotation", "affine", "perspective", "elastic"),
    *("color_jitter", "brightness", "grayscale", "posterize", "solarize", "equalize", "autocontrast", "normalize"),
    *("erasing", "gaussian_blur", "sharpness", "jpeg"),
)

RECIPES: dict[str, tuple[str, ...]] = {
    **_WHOLE,
    **{f"layer:{name}": (name,) for name in _LAYERS},
    "operators:14": ("randaugment",),
    "operators:4": ("randaugment4",),
    **{f"chain:{n}": _CHAIN[:n] for n in range(1, len(_CHAIN) + 1)},
}
TRAINABLE = [name for name, operators in _WHOLE.items() if not {"mixup", "cutmix"} & set(operators)]
"""Recipes that return images and do not change labels."""

GROUPS = {
    "recipes": list(_WHOLE),
    "layers": [name for name in RECIPES if name.startswith("layer:")],
    "operators": ["operators:14", "operators:4"],
    "chain": [name for name in RECIPES if name.startswith("chain:")],
    "all": list(RECIPES),
}


def chosen(names: str) -> list[str]:
    """Return the recipes named by a comma-separated list of recipes and groups."""
    found: list[str] = []
    for name in names.split(","):
        if name not in RECIPES and name not in GROUPS:
            allowed = ", ".join([*GROUPS, *_WHOLE])
            raise ToolError(
                f"--recipes: {name!r} must be one of {allowed}, layer:<name> or chain:<1 to {len(_CHAIN)}>."
            )
        found += GROUPS.get(name, [name])
    return list(dict.fromkeys(found))
