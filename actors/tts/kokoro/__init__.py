"""The voice Kokoro-82M: English, Spanish and Mandarin on a CPU. Its weights are under the Apache licence 2.0.

Text becomes words without figures (``spanish_text``, ``mandarin_text``), words become signs (``spanish``, ``mandarin``,
and hibari's reader for English, whose alphabet is Kokoro's), signs become sound and durations (``network``).
``engine`` is the whole.
"""
