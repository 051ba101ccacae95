"""Experiment of the paper (arXiv 2104.02326): data, networks, table and figures."""
