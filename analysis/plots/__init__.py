"""Plots: draw a summary table on axes."""
