"""Training, evaluation and experiments behind PseudoCTDenoise."""
