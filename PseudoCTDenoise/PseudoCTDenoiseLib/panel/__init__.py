"""The parts of the window: widgets in, widgets out; what they do is done elsewhere."""
