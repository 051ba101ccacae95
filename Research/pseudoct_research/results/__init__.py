"""Results as CSV files, tables in pages, and figures."""
