"""XTTS-v2: a voice that copies a recording of six seconds, in many languages, piece by piece while it thinks.

A transformer (GPT) writes sound tokens, 21.5 for a second of speech; a vocoder (HiFi-GAN) turns the transformer's
latents into a waveform. The networks are coqui-tts's own classes; the loop over them is ours: all requests of a replica
step together with one key/value cache (``gpt``, ``together``), a token is drawn from the request's own generator
(``choosing``), the vocoder decodes each part once (``vocoder``), and what a recording means to the networks is computed
once (``speakers``). ``package`` imports coqui-tts, ``checkpoint`` reads the weights without unpickling code, ``text``
cuts what is too long, ``engine`` is the stage, ``measuring`` is for the benchmark.

The weights are under the Coqui Public Model License 1.0.0: non-commercial, and nobody is left to sell another licence.
Not judged, for want of the published weights and of a GPU: how it sounds, and every speed on CUDA.
"""
