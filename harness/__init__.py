"""irproof: proof that a converter turns a TensorFlow detection model into an IR that gives the same answers."""

__version__ = "0.1.0"
