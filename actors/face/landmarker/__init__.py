"""What runs in MediaPipe's own environment; nothing here is imported by the rest."""
