"""What Ditto's networks cost, with random weights of the published sizes: for `python -m serve_app.bench`."""
