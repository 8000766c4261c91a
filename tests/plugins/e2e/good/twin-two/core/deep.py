NAME = "core of two"
