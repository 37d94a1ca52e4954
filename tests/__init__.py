"""The tests: packages, so that test modules and their helpers have unique names."""
