"""Loads the plugin of the project: options, the fixtures `evidence` and `prove`, certificate and verdict."""

pytest_plugins = ["harness.plugin", "pytester"]
