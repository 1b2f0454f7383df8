"""Grids: from YAML to trials and wanted scores, with all faults of a file reported at once."""
