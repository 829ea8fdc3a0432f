"""Published files read once and safely: .pth, .onnx and the config's pickle to safetensors, npz and TOML.

    python -m actors.face.ditto.convert models/*.pth hubert.onnx landmark203.onnx config.pkl --to folder

Networks that find a face (`landmark203.onnx`, `blaze_face.onnx`, `face_mesh.onnx`) are taken along as they are.

A pickle is a program. It is read here by an allow-list that makes plain numbers only, in a process that can open no
file and no connection; the service itself reads no pickle. Native libraries that come along are never loaded.
"""
