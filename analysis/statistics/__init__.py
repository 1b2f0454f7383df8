"""Statistics from tables to tables: correlations, importance, transfer, power."""
