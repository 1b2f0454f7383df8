"""The report: one page about a results folder, with its sections and their elements."""
