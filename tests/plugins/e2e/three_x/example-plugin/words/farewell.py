TEXT = "Bye"
