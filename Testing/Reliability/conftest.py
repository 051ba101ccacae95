from command_line import *  # noqa: F403
