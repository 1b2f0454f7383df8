"""What a results folder was asked for, what it lacks, what that costs and how it is cut."""
