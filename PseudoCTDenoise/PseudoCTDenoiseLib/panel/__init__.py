"""The module's panel: one file per part of the window. The work is done in scene and worker."""
