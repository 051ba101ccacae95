"""CT images in HU: body mask, noise, metrics, orientation, display and files."""
