"""Files, whole or not at all: the tables, codes and checkpoints of a results folder.

Knows no grid and no schedule.
"""
