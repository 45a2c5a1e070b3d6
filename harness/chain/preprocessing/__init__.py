"""What the preprocessors' replacers share: the model's input, and the arithmetic inside a loop's body."""
