"""What the replacers of two-stage detectors read off a graph: where its stages meet, and what each of them does."""
