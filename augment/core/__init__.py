"""What a layer is: its base, its kinds, mixes, pipelines, and modules of other libraries."""
