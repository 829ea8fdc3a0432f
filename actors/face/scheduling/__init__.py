"""What the scheduler of a face's replica reckons with: costs, work, how far each span has come, and the ladder."""
