raise RuntimeError("the model file\n  is gone")
