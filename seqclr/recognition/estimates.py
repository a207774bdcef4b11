"""What a reader's predictions on images without labels say about their texts and about its accuracy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from seqclr.data.dataset import ImageDataset
from seqclr.recognition.recognizer import Recognizer

MOST = 1000  # images that are looked at
SUREST = 0.3  # share of the predictions, those of the highest confidence, that texts are estimated from
RARE = 0.1  # lengths and characters below this share of the most frequent one are taken for errors


def predict_dataset(reader: Recognizer, dataset: ImageDataset, most: int = MOST, batch_size: int = 64):
    """Texts and confidences of the first images of a dataset."""
    count, found = min(most, len(dataset)), []
    for start in range(0, count, batch_size):
        records = [dataset[index] for index in range(start, min(start + batch_size, count))]
        widths = np.array([record["width"] for record in records], np.int32) if "width" in records[0] else None
        found += reader.predict_batch(np.stack([record["image"] for record in records]), widths)
    return found


def estimate_texts(reader: Recognizer, dataset: ImageDataset, texts: Sequence[str] = ()) -> tuple[str, str]:
    """The charset and the lengths, as the key `length` takes them, of the surest predictions and of known texts."""
    found = sorted(predict_dataset(reader, dataset), key=lambda row: -row[1])
    sure = [text for text, _ in found[: max(1, int(SUREST * len(found)))] if text]
    lengths = frequent(Counter(map(len, sure))) | {len(text) for text in texts}
    of_length = [text for text in sure if len(text) in lengths]
    known = {reader.charset.normalize(character) for text in texts for character in text}
    characters = frequent(Counter("".join(of_length))) | known
    charset = "".join(character for character in reader.charset.characters if character in characters)
    return charset, ",".join(map(str, sorted(lengths)))


def estimate_accuracy(reader: Recognizer, dataset: ImageDataset) -> float:
    """The estimated exact match of a reader on images without labels: the mean confidence."""
    return float(np.mean([confidence for _, confidence in predict_dataset(reader, dataset)]))


def frequent(counts: Counter) -> set:
    """The keys with at least RARE of the largest count."""
    return {key for key, count in counts.items() if count >= RARE * max(counts.values())}
