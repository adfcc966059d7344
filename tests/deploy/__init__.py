"""The files below deploy/, the image and compose.yaml: checked by their own tools and ours."""
