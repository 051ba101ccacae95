"""The project's sample scan: a torso with known lesions."""
