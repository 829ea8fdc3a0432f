"""From sound to keypoints, in numpy: everything of Ditto that is arithmetic and no trained network."""
