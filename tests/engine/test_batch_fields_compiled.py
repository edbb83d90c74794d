"""All that travels beside the image in one graph; tests/conformance compiles each layer to code."""

import torch

from tests.unchecked import import_unchecked

fields_of = import_unchecked("tests.engine.test_batch_fields")
A, fields = fields_of.A, fields_of.fields


def test_all_fields_in_one_graph():
    layer = A.Pipeline(
        A.RandomIoUCrop((28, 36), trials=5),
        A.RandomHorizontalFlip(),
        A.RandomRotation(30.0),
        A.RandomErasing(p=1.0, fill_mask=9),
        A.RandomCutMix(),
    )
    torch._dynamo.reset()
    traced = torch.compile(layer, fullgraph=True, backend="eager")
    noise = layer.noise(torch.arange(4))
    for given in (fields(), fields().with_box_format("cxcywhr")):
        expected, out = layer(given, noise), traced(given, noise)
        for name, part in expected.parts().items():
            if part.is_floating_point():
                torch.testing.assert_close(getattr(out, name), part, rtol=1e-4, atol=2e-3)
            else:
                assert (getattr(out, name) != part).float().mean() < 0.01, name  # a nearest pixel may be another
        assert out.extra == given.extra
