"""Files, written atomically: the tables, codes and checkpoints of a results folder.

Knows no grid and no schedule.
"""
