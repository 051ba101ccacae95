"""The log of the node, which `pseudoct listen` prints and writes to files."""

import logging

LOG = logging.getLogger("pseudoct.node")
