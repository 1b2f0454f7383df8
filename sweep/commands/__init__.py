"""A module for each command of the command line: it prints, and does nothing else."""
