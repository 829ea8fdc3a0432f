"""What `avatar inspect` is made of: the mouth in the pixels, the labels, the curves, and the bars they must clear."""
