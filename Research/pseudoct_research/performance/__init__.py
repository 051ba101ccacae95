"""How fast the engine is, and where its time goes."""
