"""The painter of the built-in portrait: run once by a developer, never at run time."""
