"""`collate`: single samples to a batch, in a loader."""

import pytest
import torch
from torch.utils.data import DataLoader

import augment as A
from tests.unchecked import import_unchecked


def sample(i: int, size: tuple[int, int] = (8, 9), boxes: int = 2, **changes: object) -> A.Batch:
    """Return a sample whose values tell its number."""
    rows = torch.arange(boxes * 4.0).view(boxes, 4) + i
    made = A.Batch(
        torch.full((3, *size), i, dtype=torch.uint8),
        label=torch.tensor(i),
        boxes=rows,
        keypoints=rows[:, :2],
        index=torch.tensor(i),
    )
    return made.replace(**changes)


def test_a_loader_gives_what_a_pipeline_takes():
    data = [sample(i, boxes=1 + i % 2) for i in range(5)]
    first, second = DataLoader(data, batch_size=3, collate_fn=A.collate)
    assert (first.image.shape, second.image.shape) == ((3, 3, 8, 9), (2, 3, 8, 9))
    assert first.label.tolist() == first.index.tolist() == [0, 1, 2]
    assert first.boxes_visible.tolist() == [[1, 0], [1, 1], [1, 0]]
    assert first.keypoints_visible.tolist() == [[True, False], [True, True], [True, False]]
    assert torch.equal(first.boxes[1], data[1].boxes)
    assert torch.equal(first.boxes[0], torch.cat([data[0].boxes, torch.zeros(1, 4)]))
    out = A.RandomHorizontalFlip(p=1.0)(first)
    assert out.boxes_visible[0].tolist()[1] == 0


def test_what_is_visible_stays():
    seen = torch.tensor([0.25, 0.5])
    batch = A.collate([sample(0, boxes_visible=seen), sample(1, boxes=3, boxes_visible=torch.ones(3))])
    assert batch.boxes_visible.tolist() == [[0.25, 0.5, 0], [1, 1, 1]]


def test_sizes_may_differ():
    batch = A.collate([sample(0), sample(1, size=(5, 4))])
    assert isinstance(batch.image, A.PackedImages)
    assert batch.image.sizes.tolist() == [[8, 9], [5, 4]]
    torch.testing.assert_close(A.Resize((4, 4))(batch).image[1], torch.full((3, 4, 4), 1 / 255))


@pytest.mark.parametrize(
    ("samples", "error", "message"),
    [
        ([], TypeError, "at least one Batch"),
        ([torch.zeros(3)], TypeError, "at least one Batch"),
        ([sample(0), sample(1, label=None)], ValueError, "same parts and the same box_format"),
        ([sample(0), sample(1, box_format="xywh")], ValueError, "same parts and the same box_format"),
        ([sample(0, label=torch.zeros(3)), sample(1)], ValueError, r"label must have one shape .* \[\(\), \(3,\)\]"),
        ([A.Batch(torch.zeros(2, 3, 8, 8))], ValueError, r"image must be \(C, H, W\) in each sample"),
    ],
)
def test_what_is_refused(samples, error, message):
    free = import_unchecked("augment")
    samples = [free.Batch(**s.parts(), box_format=s.box_format) if isinstance(s, A.Batch) else s for s in samples]
    with pytest.raises(error, match=message):
        free.collate(samples)
