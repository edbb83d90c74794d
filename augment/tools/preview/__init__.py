"""Pictures of what a pipeline or a layer does to images."""
