"""Networks and their trained weights."""
