NAME = "later of one"
