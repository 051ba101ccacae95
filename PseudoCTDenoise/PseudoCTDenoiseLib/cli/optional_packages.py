"""Packages that only some options and commands need, and how to install them."""

from __future__ import annotations

# Windows' command prompt does not know single quotes.
TOOLS = 'pip install "pseudoctdenoise[tools]"'
LISTEN = 'pip install "pseudoctdenoise[listen]"'
COHORT = 'pip install "pseudoctdenoise[cohort]"'
RESEARCH = "pip install ./Research"
INSTALL_COMMANDS = {
    "matplotlib": TOOLS,
    "skimage": TOOLS,
    "pynetdicom": LISTEN,
    "distributed": COHORT,
    "tqdm": "pip install tqdm",
    "scipy": RESEARCH,
    "microct_iq_toolbox": RESEARCH,
}
"""Shell command that installs a package, by the name under which Python imports it."""
