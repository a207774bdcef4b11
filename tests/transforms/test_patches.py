"""Patches of Exemplar-CNN."""

import numpy as np

from seqclr.transforms.patches import ExemplarPatch


def test_a_patch_is_where_there_is_something_to_see_and_never_twice_the_same():
    image = np.full((32, 200, 3), 128, np.uint8)
    image[:, 150:170] = np.random.default_rng(0).integers(0, 256, (32, 20, 3))
    transform = ExemplarPatch("none", 32)
    rows = [transform({"image": image, "index": np.int32(5)}, np.random.default_rng(i))["views"][0] for i in range(4)]
    for patch in rows:
        assert patch.shape == (32, 32, 3) and patch.std() > 20
    assert not np.array_equal(rows[0], rows[1])
    again = transform({"image": image, "index": np.int32(5)}, np.random.default_rng(0))["views"][0]
    np.testing.assert_array_equal(rows[0], again)


def test_padding_is_not_looked_for_and_a_line_shorter_than_the_patch_will_do():
    image = np.random.default_rng(0).integers(0, 256, (32, 64, 3)).astype(np.uint8)
    image[:, 20:] = 255
    patch = ExemplarPatch("none", 32)(
        {"image": image, "index": np.int32(0), "width": np.int32(20)}, np.random.default_rng(0)
    )
    assert patch["views"].shape == (1, 32, 32, 3) and patch["views"][0].std(axis=(0, 1)).min() > 10
