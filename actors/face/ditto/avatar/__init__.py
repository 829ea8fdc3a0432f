"""A portrait made ready: where its face is cut out, what is kept of it, and how pictures of the face are put back."""
