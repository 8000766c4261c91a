NAME = "later of two"
