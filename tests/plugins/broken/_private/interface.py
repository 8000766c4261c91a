raise AssertionError("folders that begin with an underscore are passed over")
