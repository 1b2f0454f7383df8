"""Trials: one model each, with its data set and wanted scores. Imports only the sciences."""
