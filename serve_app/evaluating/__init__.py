"""What `avatar eval` is made of: sets of cases, what is measured of them, and what was measured before."""
