"""Studies: what a folder should contain, what it lacks, its cost and its division into packs."""
