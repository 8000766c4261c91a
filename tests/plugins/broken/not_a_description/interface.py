plugin = {"name": "Not A Description"}
