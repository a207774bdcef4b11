"""The network and the training that the Keras tutorial captcha_ocr describes, on a site's labels, for comparison.

    python benchmarks/keras_captcha_ocr.py --data SITE --labels 100 --json result.json

Gray images of 200 x 50, whose columns are time steps; two convolutions of 3x3 with 32 and 64 filters and max pooling
each, a dense layer of 64 with dropout of 0.2, LSTMs of 128 and 64 in both directions with dropout of 0.25, softmax;
CTC, Adam, batches of 16, at most 100 epochs, early stopping after 10 without a better loss on a tenth of the labels,
greedy decoding. The test rows are only measured.
"""

import argparse
import json
import random
import time
from pathlib import Path

import cv2
import keras
import numpy as np
from keras import layers

from seqclr.data import images
from seqclr.data.charset import Charset
from seqclr.data.discovery import find
from seqclr.recognition import metrics
from seqclr.recognition.splits import hold_out, subsample

WIDTH, HEIGHT = 200, 50


def pixels(samples) -> np.ndarray:
    """Gray images, columns first, `float32 [N, WIDTH, HEIGHT, 1]`, 0 to 1."""
    rows = []
    for sample in samples:
        gray = cv2.cvtColor(images.decode(sample.read_bytes(), sample.name), cv2.COLOR_RGB2GRAY)
        rows.append(cv2.resize(gray, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR).T[..., None] / 255)
    return np.array(rows, np.float32)


def network(classes: int) -> keras.Model:
    """Logits `[N, WIDTH / 4, classes + 1]`; class 0 is the blank of Keras' CTC loss."""
    image = x = keras.Input((WIDTH, HEIGHT, 1))
    for filters in (32, 64):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Reshape((WIDTH // 4, HEIGHT // 4 * 64))(x)
    x = layers.Dropout(0.2)(layers.Dense(64, activation="relu")(x))
    for units in (128, 64):
        x = layers.Bidirectional(layers.LSTM(units, return_sequences=True, dropout=0.25))(x)
    return keras.Model(image, layers.Dense(classes + 1)(x))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--labels", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, required=True)
    args = parser.parse_args()
    start = time.perf_counter()
    random.seed(args.seed)
    keras.utils.set_random_seed(args.seed)
    train, validation = hold_out(subsample(find([args.data], "train"), args.labels, args.seed), args.seed)
    charset = Charset.of([sample.text for sample in train + validation], "lower", "drop")
    longest = max(len(charset.target(sample.text)) for sample in train + validation)

    def labels(samples):
        rows = np.zeros((len(samples), longest), np.int32)  # 0 is no character
        for row, sample in zip(rows, samples):
            ids = charset.encode(charset.target(sample.text))
            row[: len(ids)] = np.array(ids) + 1
        return rows

    model = network(len(charset))
    model.compile("adam", keras.losses.CTC())
    model.fit(pixels(train), labels(train), batch_size=16, epochs=100, verbose=2,
              validation_data=(pixels(validation), labels(validation)),
              callbacks=[keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)])  # fmt: skip
    minutes = (time.perf_counter() - start) / 60
    test = find([args.data], "test")
    best = model.predict(pixels(test), verbose=0).argmax(-1)
    predictions = []
    for row in best:
        ids = [i for i, before in zip(row, [0, *row[:-1]]) if i != before and i != 0]
        predictions.append("".join(charset.characters[i - 1] for i in ids))
    scores = metrics.scores([sample.text.lower() for sample in test], predictions)
    args.json.write_text(json.dumps({**scores, "minutes": minutes}, indent=1))
    print(json.dumps(scores))


if __name__ == "__main__":
    main()
