"""Predicts texts with exported readers. Needs NumPy, Pillow and onnxruntime (or ai-edge-litert), no TensorFlow."""
