"""All measurements of the project in one call, within a limit of time, which a later call continues."""
