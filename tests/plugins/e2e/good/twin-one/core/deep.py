NAME = "core of one"
