"""A page of another host that shows the face, and the backend that it needs for that."""
