"""Part of the chain; see docs/architecture.md."""
