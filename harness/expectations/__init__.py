"""Known failures of a converter, kept by its vendor: which ones are expected, and what became of each."""

from harness.expectations.entry import Expectation
from harness.expectations.judging import Scope, judge
from harness.expectations.reader import ExpectationsError, read_expectations
from harness.expectations.writer import write_expectations

__all__ = ["Expectation", "ExpectationsError", "Scope", "judge", "read_expectations", "write_expectations"]
