"""From YAML to a grid, its trials and the scores wanted of them; all faults of a file at once."""
