"""From a results folder to one page: its sections, and what they are made of."""
