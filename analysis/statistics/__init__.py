"""From tables to tables: correlations, importance, transfer, power. Knows no page and no paper."""
