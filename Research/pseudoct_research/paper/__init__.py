"""The paper's experiment (arXiv 2104.02326): its data, its networks, its table, its figures."""
