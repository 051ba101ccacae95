"""CT images in HU: body, noise, orientation, display, and their files."""
