"""What one model is: a trial, the scores wanted of it, its data set. Sees only the sciences."""
