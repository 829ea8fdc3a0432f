"""A portrait for the engine out of somebody's picture: fitted, measured, its mouth and eyes made to move."""
