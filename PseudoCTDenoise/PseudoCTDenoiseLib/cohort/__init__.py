"""Denoising of many scans by Dask: list, manifest, distribution, table and page."""
