NAME = "helper of two"
