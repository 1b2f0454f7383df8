"""The figures of Locatello et al. (2019) by number, the printed numbers and the comparison."""
