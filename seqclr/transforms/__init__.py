"""Transforms: what makes an example for a method from a record. Host side: never imports TensorFlow.

A transform is called as `transform(record, rng)` in a worker. The record has `image: uint8 [H, W, 3]`, `index` and, for
padded lines, `width`, the number of columns before the padding; those of sequences have `frames` instead of `image`.

| file | makes | for |
|---|---|---|
| two_views.py | one or two full views and their geometry | contrastive, distillation and redundancy methods |
| multi_crop.py | two full views and small crops | SwAV, DINO and other multi-crop methods |
| masked_views.py | views with masked strips | masked prediction on lines |
| corrupted.py | an image and its corrupted version | autoencoders, inpainting, super-resolution, MAE |
| labelled.py | labelled views; weak and strong views | CTC, self-training |
| generated.py | generated labelled images beside the views | methods with generated text |
| jigsaw.py, permutations.py | shuffled tiles and the permutation | jigsaw |
| tiles.py | four overlapping tiles | jigsaw clustering |
| context.py | two parts and their relative position | context prediction |
| counting.py | an image and its parts | learning to count |
| order.py | frames or slices in or out of order | order verification, odd-one-out |
| modalities.py | two frames of a sequence with their gray image, flow or sound | distillation between modalities |
| patches.py | a distorted patch | Exemplar-CNN |

views.py reads the augmentations of a view from YAML (`presets/`), augmentations.py has those that Albumentations lacks,
readable.py checks that they keep text readable, apply.py applies them to records, slices.py cuts lines between
characters, colour.py samples colours.
"""
