"""A page in the browser to put a pipeline together and see at once what it does."""
