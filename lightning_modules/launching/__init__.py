"""From a configuration to a run: settings, folders, the start and the end."""
