"""Speed of the engine, and a profile of where its time goes."""
