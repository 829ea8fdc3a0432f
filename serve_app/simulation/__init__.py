"""People who talk to a service, simulated: one machine call by call, and fleets of such machines."""
