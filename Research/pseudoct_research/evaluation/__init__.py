"""Metrics, filters to compare with, tables and pictures."""
