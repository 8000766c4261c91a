NAME = "helper of one"
