"""Ditto: a face that one portrait and a sound make, by a diffusion of motion and a renderer of pictures.

Written from the published description of its networks, and checked against numbers that the published code gave on
made-up inputs (tests/actors/face/ditto). `motion` is arithmetic in numpy, `nets` are the trained networks in torch,
`runtime` is what runs them, `convert` reads published files once and safely, `engine` is the stage.

What could not be judged without the published weights: how anything looks; whether strides of 20 and 40 (plan.py), a
cross-fade between strides, and the fade to the idle loop look well; the speech encoder's own graph, of which only the
signature is known; and every speed.
"""
