"""Comparison of methods: metrics, baseline filters, tables and figures."""
