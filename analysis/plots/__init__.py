"""From a summary and axes to the axes with the plot."""
